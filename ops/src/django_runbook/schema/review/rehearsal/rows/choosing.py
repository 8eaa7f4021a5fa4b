"""Which tables a rehearsal needs rows in: what the migration touches, and what stands around it."""

from collections.abc import Iterable, Iterator, Mapping

from django.apps.registry import Apps
from django.db.migrations.migration import Migration
from django.db.migrations.operations import DeleteModel, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.fields import FieldOperation

from django_runbook.schema.review.rehearsal.rows.tables import Table

#: Rows for a table that the migration does not touch itself.
AROUND = 100
#: How many tables are filled at most: the touched ones come first.
MOST = 60
#: How many rows the touched tables have together at most.
ALL = 20_000


def wanted(
    migration: Migration, apps: Apps, tables: Mapping[str, Table], rows: int
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return how many rows each table shall have, and what is left out.

    An operation of which nobody knows what it touches (RunPython, RunSQL, one of the project's own)
    touches every table; more than ``MOST`` are too many: those of the migration's own app are kept
    then. Where many are touched each gets fewer rows, ``ALL`` together.
    """
    touched = _touched(migration, apps, tables)
    around = _closed(touched | _referring(touched, tables), tables) - touched
    names = [*sorted(touched, key=lambda name: _strange(name, migration, apps)), *sorted(around)]
    kept = _closed(names[:MOST], tables)
    left = len(set(names) - kept)
    gaps = (f"{left} of {len(names)} tables have no rows: too many to fill.",) if left else ()
    some = min(rows, AROUND)
    many = max(some, min(rows, ALL // max(1, len(touched & kept))))
    return {name: many if name in touched else some for name in sorted(kept)}, gaps


def _touched(migration: Migration, apps: Apps, tables: Mapping[str, Table]) -> set[str]:
    touched: set[str] = set()
    known = set()
    operations = list(_flat(migration.operations))
    for model in apps.get_models(include_auto_created=True):
        known.add(model._meta.db_table)
        owner = model._meta.auto_created or model  # a many-to-many table goes with its model
        options = owner._meta  # type: ignore[union-attr]  # True stands for what Django made itself
        name = str(options.object_name)
        own = options.app_label == migration.app_label
        if any(_touches(each, name, options.app_label, own=own) for each in operations):
            touched.add(model._meta.db_table)
    if any(_touches(each, "", "", own=False) for each in operations):
        touched |= set(tables) - known
    return (touched & set(tables)) - {"django_migrations"}


def _flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _touches(operation: Operation, model: str, app_label: str, *, own: bool) -> bool:
    """Tell whether an operation may touch a model's table; Django's own answer is yes in doubt."""
    named = getattr(operation, "model_name", None)
    if isinstance(operation, DeleteModel):
        named = operation.name
    elif named is None or isinstance(operation, FieldOperation):
        return operation.references_model(model, app_label)
    return own and named.lower() == model.lower()


def _referring(touched: set[str], tables: Mapping[str, Table]) -> set[str]:
    return {name for name, table in tables.items() if table.parents & touched}


def _closed(names: Iterable[str], tables: Mapping[str, Table]) -> set[str]:
    """Add what these refer to, and so on."""
    closed: set[str] = set()
    new = {name for name in names if name in tables}
    while new:
        closed |= new
        new = {
            parent for name in new for parent in tables[name].parents if parent in tables
        } - closed
    return closed


def _strange(name: str, migration: Migration, apps: Apps) -> tuple[bool, str]:
    own = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label == migration.app_label
    }
    return name not in own, name
