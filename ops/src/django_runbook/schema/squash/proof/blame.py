"""Says which operation is the likely cause of a difference."""

from collections.abc import Iterator

from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


def place(migration: Migration, state: ProjectState, table: str, thing: str = "") -> str:
    """Return the operation that is the likely cause of what differs in a table.

    It is the last one that is about the table's model and names the thing (a column, an index);
    else the last one about the model. Empty where none is. ``state`` is the one afterwards.
    """
    models = [*_models(state, migration.app_label, table)]
    touching = [
        (number, operation)
        for number, operation in enumerate(migration.operations, 1)
        if any(_is_about(operation, model, migration.app_label) for model in models)
    ]
    naming = [found for found in touching if (name := _name(found[1])) and name in thing.lower()]
    for number, operation in reversed(naming or touching):
        return f"operation {number}, {operation.describe()}"
    return ""


def _models(state: ProjectState, app_label: str, table: str) -> Iterator[str]:
    """Yield the models to which a table belongs; that of a relation begins with their own."""
    for (app, name), model in state.models.items():
        own = str(model.options.get("db_table") or f"{app}_{name}").strip('"')
        if app == app_label and (table == own or table.startswith(f"{own}_")):
            yield name


def _is_about(operation: Operation, model: str, app_label: str) -> bool:
    if type(operation).__name__ in {"RunPython", "RunSQL"}:  # these say yes to every model
        return False
    return operation.references_model(model, app_label)


def _name(operation: Operation) -> str:
    """Return what an operation on a part of a model names; empty for one on a whole model."""
    whole = not hasattr(operation, "model_name")
    return "" if whole else str(getattr(operation, "name", "")).lower()
