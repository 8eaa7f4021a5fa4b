"""What operations do to tables, and what Django defers of it to the end of a file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import migrations, models
from django.db.migrations.operations import fields as field_operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.models import IndexOperation
from django.db.migrations.state import ModelState, ProjectState

from django_runbook.schema.squash.plan.row_writes import ModelKey, sql_text, table, target
from django_runbook.schema.squash.source.module import Source
from django_runbook.schema.squash.write.values import plain

#: Operations that alter the table of the model that they name.
WHOLE = (
    migrations.AlterUniqueTogether,
    migrations.AlterIndexTogether,
    migrations.AlterOrderWithRespectTo,
    migrations.AlterModelTable,
    migrations.AlterModelTableComment,
    migrations.DeleteModel,
)
SCHEMA = re.compile(r"\b(alter|create|drop|rename|reindex)\b")
UNDOES = re.compile(r"\b(alter|drop|rename|reindex)\b")
SETTLES = re.compile(r"\bset\s+constraints\s+all\s+immediate\b")


@dataclass(frozen=True, kw_only=True)
class Step:
    """An operation in the file ``number``; those with one ``run`` are merged with each other."""

    number: int
    run: int
    operation: Operation
    source: Source
    atomic: bool


def database_operations(operation: Operation) -> Iterator[Operation]:
    """Yield what an operation does to the database: itself, or those that it separates."""
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for one in operation.database_operations:
            yield from database_operations(one)
    else:
        yield operation


def altered_tables(operation: Operation, app_label: str, state: ProjectState) -> Iterator[ModelKey]:
    """Yield the models whose existing tables an operation alters, in the state before it."""
    if isinstance(operation, field_operations.FieldOperation):
        key = (app_label, operation.model_name_lower)
        if _alters_column(operation, state.models.get(key)):
            yield key
    elif isinstance(operation, IndexOperation):
        yield app_label, operation.model_name_lower
    elif isinstance(operation, migrations.RenameModel):
        key = (app_label, operation.old_name_lower)
        yield key
        yield from (own for own, other in _links(state) if other == key)
    elif isinstance(operation, WHOLE):
        yield app_label, operation.name_lower
    elif isinstance(operation, migrations.RunSQL) and SCHEMA.search(sql_text(operation)):
        yield from named_tables(operation, state)


def named_tables(operation: migrations.RunSQL, state: ProjectState) -> Iterator[ModelKey]:
    """Yield the models whose tables an operation's SQL names."""
    words = set(re.findall(r"\w+", sql_text(operation)))
    yield from (key for key in state.models if table(state, key) in words)


def settles(operation: Operation) -> bool:
    """Tell whether an operation has all that is deferred checked: no event is pending after it."""
    return isinstance(operation, migrations.RunSQL) and bool(SETTLES.search(sql_text(operation)))


def has_table(model: ModelState) -> bool:
    """Tell whether migrations make a table for a model."""
    return model.options.get("managed", True) and not model.options.get("proxy", False)


def deferred(field: "models.Field[Any, Any]", *, new_table: bool) -> str:
    """Return what Django defers of a field's creation, as words; nothing where it defers none.

    With ``new_table`` it is created with its table. A column that is added later has its foreign
    key at once on PostgreSQL. The second index of a unique text, for LIKE, is dropped by its name,
    and so taken out of what is deferred: that one is no matter.
    """
    if field.many_to_many:
        through = getattr(field.remote_field, "through", None)
        return "the table between" if through is None or not isinstance(through, str) else ""
    parts = []
    if new_table and field.remote_field and getattr(field, "db_constraint", True):
        parts.append("the foreign key")
    if _is_indexed(field) and not field.unique:
        parts.append("an index")
    return " and ".join(parts)


def defers(constraint: models.BaseConstraint) -> bool:
    """Tell whether a new table's constraint is an index of its own, made at the end."""
    if not isinstance(constraint, models.UniqueConstraint):
        return False
    names = ("condition", "include", "opclasses", "expressions", "nulls_distinct")
    return any(getattr(constraint, name, None) not in (None, (), []) for name in names)


def signature(field: "models.Field[Any, Any]", own: ModelKey) -> tuple[Any, ...]:
    """Return what of a field matters to its indexes and foreign keys."""
    related = target(field, own) if field.remote_field else None
    constraint = getattr(field, "db_constraint", None) if related else None
    return (kind(field), _is_indexed(field), field.unique, field.db_column, related, constraint)


def same_link(
    one: "models.Field[Any, Any]", other: "models.Field[Any, Any]", own: ModelKey
) -> bool:
    """Tell whether a field refers to the same model as before."""
    return bool(one.remote_field and other.remote_field) and signature(one, own) == signature(
        other, own
    )


def kind(field: "models.Field[Any, Any]") -> tuple[str, Any]:
    """Return what makes a column's type: of a key, it makes that of those that refer to it."""
    return type(field).__name__, field.primary_key


def _alters_column(operation: Operation, model: ModelState | None) -> bool:
    """Tell whether an operation on a field alters the table of its model."""
    if isinstance(operation, migrations.AddField):
        return not operation.field.many_to_many
    if isinstance(operation, migrations.AlterField) and model is not None:
        old = model.fields.get(operation.name)
        return old is None or (not old.many_to_many and _stored(old) != _stored(operation.field))
    return True


def _is_indexed(field: "models.Field[Any, Any]") -> bool:
    return bool(getattr(field, "db_index", False))


def _stored(field: "models.Field[Any, Any]") -> str:
    """Return a field by what of it the database knows."""
    _, path, args, kwargs = field.deconstruct()
    ignored = {*field.non_db_attrs}
    return repr((path, plain(args), plain({k: v for k, v in kwargs.items() if k not in ignored})))


def _links(state: ProjectState) -> Iterator[tuple[ModelKey, ModelKey]]:
    for key, model in state.models.items():
        for field in model.fields.values():
            if field.remote_field:
                yield key, target(field, key)
