"""Rules about what running code still names: columns and tables that are renamed or dropped.

While a release is rolled out, and until all of it is, the old code runs against the new schema. It
names each column in its SELECTs and INSERTs.
"""

from collections.abc import Iterator
from typing import Any

from django.db.migrations import operations
from django.db.migrations.state import ProjectState

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.changes import (
    Change,
    change_of,
    has_column,
    has_db_default,
    referring,
)
from django_runbook.schema.review.rules.steps import Step


def risks(step: Step) -> Iterator[Risk]:
    """Yield what renaming or dropping breaks in the code that still runs."""
    operation = step.operation
    if isinstance(operation, operations.RenameModel):
        old, new = step.old_model(operation.old_name), step.new_model(operation.new_name)
        rewrite = (
            f"Keep the table's name: give {operation.new_name} the Meta option db_table = "
            f"{{!r}}, in the same migration, before the rename."
        )
        yield from _renamed_table(step, old, new, rewrite)
        yield from _renamed_many(step, operation.old_name, operation.new_name)
    elif isinstance(operation, operations.AlterModelTable):
        old, new = step.old_model(operation.name), step.new_model(operation.name)
        rewrite = "Keep the table's name: db_table = {!r}."
        yield from _renamed_table(step, old, new, rewrite)
        yield from _renamed_many(step, operation.name, operation.name)
    elif isinstance(operation, operations.DeleteModel):
        yield from _dropped_table(step, step.old_model(operation.name), operation.name)
    elif isinstance(operation, operations.SeparateDatabaseAndState):
        yield from _hidden(step, operation)
    elif change := change_of(step):
        yield from _column(change)


def _renamed_table(step: Step, old: Any, new: Any, rewrite: str) -> Iterator[Risk]:
    if old is None or new is None or old._meta.db_table == new._meta.db_table:
        return
    table, now = old._meta.db_table, new._meta.db_table
    yield step.risk(
        "rename-table",
        Severity.DANGER,
        f"{table} becomes {now}: code that still runs asks for {table}, and fails.",
        rewrite.format(table),
        table,
    )


def _renamed_many(step: Step, old: str, new: str) -> Iterator[Risk]:
    """Yield the tables behind many-to-many fields that follow the name of a model."""
    label = f"{step.app_label}.{old}".lower(), f"{step.app_label}.{new}".lower()
    if step.new_model(new) is None:
        return
    after = _throughs(step.after)
    for (owner, field), (table, columns) in _throughs(step.before).items():
        now = after.get((label[1] if owner == label[0] else owner, field))
        if now is None or table in step.fresh:
            continue
        names = [(f"{table}.{was}", its) for was, its in zip(columns, now[1], strict=False)]
        for was, its in [(table, now[0]), *names]:
            if was.rpartition(".")[2] != its:
                yield step.risk(
                    "rename-table" if was == table else "rename-column",
                    Severity.DANGER,
                    f"{was} becomes {its}, for Django names the table behind {owner}.{field} after "
                    f"its models: code that still runs asks for {was}, and fails.",
                    f"Give {owner}.{field} a through model of its own, with db_table = {table!r} "
                    f"and a db_column for each ForeignKey, before the rename.",
                    table,
                )


def _throughs(state: ProjectState) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """Return the tables that Django makes for many-to-many fields, and their columns."""
    found = {}
    for model in state.apps.get_models():
        for field in model._meta.local_many_to_many:
            through: Any = field.remote_field.through
            if through._meta.auto_created:
                columns = [each.column for each in through._meta.local_fields if each.remote_field]
                found[model._meta.label_lower, field.name] = (through._meta.db_table, columns)
    return found


def _dropped_table(step: Step, old: Any, name: str) -> Iterator[Risk]:
    if old is None:
        return
    table = old._meta.db_table
    yield step.risk(
        "drop-table",
        Severity.DANGER,
        f"{table} goes with its rows: code that still runs asks for it, and fails.",
        f"First release code without {name}, with SeparateDatabaseAndState(state_operations="
        f"[DeleteModel({name!r})]); drop {table} with RunSQL in a later release.",
        table,
    )
    left = referring(step.after, old)
    if left:
        yield step.risk(
            "drop-referenced",
            Severity.DANGER,
            f"{' and '.join(left)} still refer to {table}: CASCADE drops the foreign key silently, "
            f"and the values point to nothing.",
            f"Remove {' and '.join(left)} first, in a migration that this one depends on.",
            table,
        )


def _hidden(step: Step, operation: operations.SeparateDatabaseAndState) -> Iterator[Risk]:
    """Yield columns that the models forget while the database still demands a value for them."""
    if operation.database_operations:
        return
    for inner in operation.state_operations:
        model = isinstance(inner, operations.RemoveField) and step.old_model(inner.model_name)
        if not isinstance(inner, operations.RemoveField) or not model:
            continue
        field: Any = next(
            (each for each in model._meta.local_fields if each.name == inner.name), None
        )
        if has_column(field) and not field.null and not has_db_default(field):
            column = f"{model._meta.db_table}.{field.column}"
            yield step.risk(
                "hidden-not-null",
                Severity.DANGER,
                f"{column} stays NOT NULL and has no default in the database: the new code's "
                f"INSERTs do not name it, and fail.",
                f"First let {inner.name} be null=True, or give it a db_default, in a migration of "
                f"its own.",
                model._meta.db_table,
            )


def _column(change: Change) -> Iterator[Risk]:
    step, old, new = change.step, change.old, change.new
    if new is None and old.many_to_many:
        through = old.remote_field.through
        if through._meta.auto_created:
            yield from _dropped_many(change, through._meta.db_table)
    elif new is None and has_column(old):
        yield _dropped_column(change)
    elif has_column(old) and has_column(new) and old.column != new.column:
        yield step.risk(
            "rename-column",
            Severity.DANGER,
            f"{change.table}.{old.column} becomes {new.column}: code that still runs names "
            f"{old.column} in each SELECT and INSERT, and fails.",
            f"Keep the column's name: {change.field} = {type(new).__name__}(…, "
            f"db_column={old.column!r}).",
            change.table,
        )


def _dropped_many(change: Change, table: str) -> Iterator[Risk]:
    yield change.step.risk(
        "drop-table",
        Severity.DANGER,
        f"{table}, the table behind {change.model}.{change.old.name}, goes with its rows: code "
        f"that still runs asks for it, and fails.",
        f"First release code without it, with SeparateDatabaseAndState(state_operations="
        f"[RemoveField({change.model!r}, {change.old.name!r})]); drop {table} with RunSQL in a "
        f"later release.",
        table,
    )


def _dropped_column(change: Change) -> Risk:
    old = change.old
    first = (
        ""
        if old.null or has_db_default(old)
        else f" Before that let {old.name} be null=True or give it a db_default, or the new code's "
        f"INSERTs fail."
    )
    return change.step.risk(
        "drop-column",
        Severity.DANGER,
        f"{change.column} goes with its values: code that still runs names it in each SELECT and "
        f"INSERT, and fails.",
        f"First release code without it, with SeparateDatabaseAndState(state_operations="
        f"[RemoveField({change.model!r}, {old.name!r})]); drop the column with RunSQL in a later "
        f"release.{first}",
        change.table,
    )
