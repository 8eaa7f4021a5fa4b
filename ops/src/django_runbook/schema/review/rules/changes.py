"""What an operation changes in a column, as the fields before and after it."""

import re
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import operations
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED, AutoField

from django_runbook.schema.review.rules.steps import Step


@dataclass(frozen=True, kw_only=True)
class Change:
    """A field of a table that was there before the migration, before and after a step.

    ``old`` is None where it is added, ``new`` where it is removed. ``given`` is the field of the
    operation: the one that still has a default which the models do not keep.
    """

    step: Step
    model: str
    table: str
    old: Any
    new: Any
    given: Any

    @property
    def column(self) -> str:
        """Return ``table.column``, as the reader knows it."""
        return f"{self.table}.{(self.new or self.old).column}"

    @property
    def field(self) -> str:
        """Return the name of the field after the step, or before it where it goes."""
        return str((self.new or self.old).name)


def change_of(step: Step) -> Change | None:
    """Return what a step changes in a field of a table that others see, or None."""
    operation = step.operation
    if isinstance(operation, operations.AlterOrderWithRespectTo):
        model, old, new = operation.name, "_order", "_order"
    elif isinstance(operation, operations.RenameField):
        model, old, new = operation.model_name, operation.old_name, operation.new_name
    elif isinstance(
        operation, operations.AddField | operations.RemoveField | operations.AlterField
    ):
        model, old, new = operation.model_name, operation.name, operation.name
    else:
        return None
    before, after = step.old_model(model), step.new_model(model)
    if before is None or after is None:
        return None
    fields = _field(before, old), _field(after, new)
    if fields == (None, None) or (
        isinstance(operation, operations.AlterOrderWithRespectTo) and all(fields)
    ):
        return None
    return Change(
        step=step,
        model=model,
        table=before._meta.db_table,
        old=fields[0],
        new=fields[1],
        given=getattr(operation, "field", None),
    )


def has_column(field: Any) -> bool:
    """Whether a field is a column of its table: many-to-many and composite keys are none."""
    return field is not None and field.column is not None and not field.many_to_many


def db_type(field: Any, connection: BaseDatabaseWrapper) -> str:
    """Return the type of a field's column in the database's words, with its collation."""
    parameters = field.db_parameters(connection)
    collation = parameters.get("collation")
    return f"{parameters['type']} COLLATE {collation}" if collation else str(parameters["type"])


def db_check(field: Any, connection: BaseDatabaseWrapper) -> str:
    """Return the CHECK that a field brings with it (that of PositiveIntegerField), or nothing."""
    return field.db_parameters(connection).get("check") or ""


def has_db_default(field: Any) -> bool:
    """Whether the database fills the column of an INSERT that does not name it."""
    given = field.db_default is not NOT_PROVIDED
    return given or field.generated or isinstance(field, AutoField)


def is_indexed(field: Any) -> bool:
    """Whether a field brings an index of its own that is not unique, as Django decides it."""
    return bool(field.db_index and not field.unique)


def constrained_to(field: Any) -> str:
    """Return the table that a field's foreign key constraint refers to, or nothing."""
    if field.remote_field is None or field.many_to_many or not field.db_constraint:
        return ""
    return str(field.remote_field.model._meta.db_table)


def referring(state: ProjectState, model: Any, to: Any = None) -> list[str]:
    """Return the fields of other models that refer to a model, or to one field of it.

    Found by names: in a state, Django's own ``related_objects`` are those of a later one.
    """
    key = model._meta.label_lower
    return sorted(
        f"{other._meta.label}.{field.name}"
        for other in state.apps.get_models()
        for field in (*other._meta.local_fields, *other._meta.local_many_to_many)
        if other._meta.label_lower != key
        and field.remote_field is not None
        and field.remote_field.model._meta.label_lower == key
        and (to is None or to.name in _targets(field))
    )


def _targets(field: Any) -> set[str]:
    """Return the names of the other model's fields that a foreign key refers to."""
    return {each.name for each in getattr(field, "foreign_related_fields", ())}


def changes_schema(change: Change) -> bool:
    """Whether a change is more than one of words: labels, choices, Python defaults."""
    old, new, connection = change.old, change.new, change.step.connection
    if old is None or new is None:
        return has_column(new or old)
    if not has_column(old) or not has_column(new):
        return False
    return any(
        one(old) != one(new)
        for one in (
            lambda field: field.column,
            lambda field: db_type(field, connection),
            lambda field: db_check(field, connection),
            lambda field: (field.null, field.unique, field.primary_key),
            is_indexed,
            constrained_to,
            lambda field: repr(field.db_default),
        )
    )


def _field(model: Any, name: str) -> Any:
    return next(
        (
            each
            for each in (*model._meta.local_fields, *model._meta.local_many_to_many)
            if each.name == name
        ),
        None,
    )


VARCHAR = re.compile(r"(?:varchar|character varying)(?:\((\d+)\))?$")
NUMERIC = re.compile(r"(?:numeric|decimal)(?:\((\d+), ?(\d+)\))?$")
#: Pairs of types with the same bytes on disk.
SAME_BYTES = {("cidr", "inet"), ("text", "varchar"), ("varchar", "text")}


def keeps_rows(old: str, new: str) -> bool:
    """Whether PostgreSQL changes a column from one type to the other without a rewrite."""
    if (old, new) in SAME_BYTES:
        return True
    was, now = VARCHAR.match(old), VARCHAR.match(new)
    if was and (new == "text" or (now and now[1] is None)):
        return True
    if was and now and was[1]:
        return int(now[1]) >= int(was[1])
    was, now = NUMERIC.match(old), NUMERIC.match(new)
    if was and now:
        return now[1] is None or bool(was[1] and was[2] == now[2] and int(now[1]) >= int(was[1]))
    return False
