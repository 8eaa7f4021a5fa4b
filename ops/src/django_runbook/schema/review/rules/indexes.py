"""Rules about indexes and constraints on PostgreSQL tables that have rows.

From PostgreSQL's manual: CREATE INDEX stops writes until it is built (section Building Indexes
Concurrently); ALTER TABLE … ADD CONSTRAINT reads all rows under its lock, except with NOT VALID.
"""

from collections.abc import Iterator
from typing import Any

from django.db.migrations import operations
from django.db.models import CheckConstraint, UniqueConstraint

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.changes import (
    Change,
    change_of,
    constrained_to,
    db_check,
    db_type,
    has_column,
    is_indexed,
)
from django_runbook.schema.review.rules.steps import Step, is_postgresql_own

APART = "SeparateDatabaseAndState, with this operation among its state_operations"


def risks(step: Step) -> Iterator[Risk]:
    """Yield what building and checking costs those who read and write the table meanwhile."""
    if not step.on_postgresql:
        return
    operation = step.operation
    if isinstance(operation, operations.AddIndex):
        if not is_postgresql_own(operation, "AddIndexConcurrently"):
            yield from _index(step, operation.model_name, operation.index.name)
    elif isinstance(operation, operations.RemoveIndex):
        if not is_postgresql_own(operation, "RemoveIndexConcurrently"):
            yield from _removed_index(step, operation.model_name, operation.name)
    elif isinstance(operation, operations.AddConstraint):
        if not is_postgresql_own(operation, "AddConstraintNotValid"):
            yield from _constraint(step, operation.model_name, operation.constraint)
    elif isinstance(operation, operations.AlterUniqueTogether | operations.AlterIndexTogether):
        yield from _together(step, operation)
    elif (change := change_of(step)) and has_column(change.new):
        yield from _field(change)


def _field(change: Change) -> Iterator[Risk]:
    step, old, new = change.step, change.old, change.new
    if is_indexed(new) and not (old is not None and is_indexed(old)):
        yield _add_index(step, change.table, f"of {change.column}", _concurrently(change))
    if new.unique and not new.primary_key and not (old is not None and old.unique):
        yield _add_unique(step, change.table, new.column)
    if old is not None and is_indexed(old) and not is_indexed(new) and not new.unique:
        yield _remove_index(step, change.table, f"of {change.column}", change.model)
    target = constrained_to(new)
    if target and (old is None or constrained_to(old) != target or _retyped(change)):
        yield _foreign_key(change, target)
    check = db_check(new, step.connection)
    if check and (old is None or check != db_check(old, step.connection)):
        yield step.risk(
            "add-check",
            Severity.DANGER if old is not None else Severity.WARNING,
            f"CHECK ({check}) comes with {change.column}: all rows of {change.table} are read "
            f"while nobody reads or writes it.",
            f"Let {change.field} be a field without a check (IntegerField), and add the check by "
            f"AddConstraintNotValid and, in a migration of its own, ValidateConstraint.",
            change.table,
        )


def _retyped(change: Change) -> bool:
    connection = change.step.connection
    return db_type(change.old, connection) != db_type(change.new, connection)


def _foreign_key(change: Change, target: str) -> Risk:
    if change.old is None and change.new.null and not change.given.has_default():
        return change.step.risk(
            "add-foreign-key",
            Severity.NOTE,
            f"{change.column} refers to {target} and begins with NULL: PostgreSQL checks no row, "
            f"and stops writes to {target} for a moment.",
            "Nothing to do.",
            change.table,
        )
    return change.step.risk(
        "add-foreign-key",
        Severity.DANGER,
        f"The foreign key from {change.column} to {target} is checked row by row while nobody "
        f"writes to {change.table} or {target}.",
        f"Use {APART}; in the database, RunSQL adds the constraint NOT VALID, and another "
        f"migration runs ALTER TABLE {change.table} VALIDATE CONSTRAINT.",
        change.table,
    )


def _concurrently(change: Change) -> str:
    return (
        f"Give {change.field} db_index=False, and add an Index(fields=[{change.field!r}]) to the "
        f"model by AddIndexConcurrently, in a migration of its own with atomic = False."
    )


def _index(step: Step, name: str, index: str) -> Iterator[Risk]:
    if model := step.old_model(name):
        yield _add_index(
            step,
            model._meta.db_table,
            index,
            f"Use AddIndexConcurrently({name!r}, …) for {index}, in a migration of its own with "
            f"atomic = False.",
        )


def _add_index(step: Step, table: str, index: str, rewrite: str) -> Risk:
    return step.risk(
        "add-index",
        Severity.DANGER,
        f"The index {index} is built while nobody writes to {table}.",
        rewrite,
        table,
    )


def _removed_index(step: Step, name: str, index: str) -> Iterator[Risk]:
    if model := step.old_model(name):
        yield _remove_index(step, model._meta.db_table, index, name)


def _remove_index(step: Step, table: str, index: str, model: str) -> Risk:
    return step.risk(
        "remove-index",
        Severity.WARNING,
        f"Dropping the index {index} takes a moment, yet it waits for all who use {table}, and "
        f"everybody else waits behind it.",
        f"Use RemoveIndexConcurrently({model!r}, …) in a migration of its own with atomic = False.",
        table,
    )


def _add_unique(step: Step, table: str, columns: str) -> Risk:
    return step.risk(
        "add-unique",
        Severity.DANGER,
        f"The unique index on {table} ({columns}) is built while nobody reads or writes the table, "
        f"and two equal rows make the migration fail.",
        f"Use {APART}; in the database, RunSQL builds CREATE UNIQUE INDEX CONCURRENTLY on {table} "
        f"({columns}) with atomic = False, then ADD CONSTRAINT … UNIQUE USING INDEX.",
        table,
    )


def _constraint(step: Step, name: str, constraint: Any) -> Iterator[Risk]:
    model = step.old_model(name)
    if model is None:
        return
    table = model._meta.db_table
    if isinstance(constraint, UniqueConstraint):
        yield _add_unique(step, table, ", ".join(constraint.fields) or constraint.name)
    elif isinstance(constraint, CheckConstraint):
        yield step.risk(
            "add-check",
            Severity.DANGER,
            f"All rows of {table} are read for {constraint.name} while nobody reads or writes it; "
            f"one that does not fit makes the migration fail.",
            f"Use AddConstraintNotValid({name!r}, …) for {constraint.name}, and ValidateConstraint("
            f"{name!r}, {constraint.name!r}) in a migration of its own.",
            table,
        )
    else:
        yield step.risk(
            "add-exclusion",
            Severity.DANGER,
            f"The index of {constraint.name} is built while nobody reads or writes {table}; "
            f"PostgreSQL has no way to build it concurrently.",
            f"Add {constraint.name} in a quiet hour with a lock_timeout, or fill a new table that "
            f"has it from the start.",
            table,
        )


def _together(
    step: Step, operation: operations.AlterUniqueTogether | operations.AlterIndexTogether
) -> Iterator[Risk]:
    model = step.old_model(operation.name)
    if model is None:
        return
    table, option = model._meta.db_table, operation.option_name
    before = {tuple(each) for each in getattr(model._meta, option, ())}
    for fields in sorted({tuple(each) for each in operation.option_value or ()} - before):
        columns = ", ".join(fields)
        if option == "unique_together":
            yield _add_unique(step, table, columns)
        else:
            rewrite = (
                f"Add an Index(fields={list(fields)!r}) by AddIndexConcurrently, in a migration of "
                f"its own with atomic = False."
            )
            yield _add_index(step, table, f"of {columns}", rewrite)
