"""Rules about what shares a transaction, what must not, and what cannot be undone."""

import re
from collections.abc import Iterator, Sequence

from django.db.migrations import operations
from django.db.migrations.operations.base import Operation

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.changes import change_of, changes_schema
from django_runbook.schema.review.rules.steps import Step, is_postgresql_own
from django_runbook.schema.review.sql import lexing

#: REFRESH MATERIALIZED VIEW CONCURRENTLY is the one that may be in a transaction.
OWN_TRANSACTION = re.compile(
    r"(?is)^\s*(?:(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX|ALTER\s+TABLE)\b"
    r".*\bCONCURRENTLY\b|VACUUM\b|CREATE\s+DATABASE\b|DROP\s+DATABASE\b|ALTER\s+SYSTEM\b)"
)


def risks(steps: Sequence[Step]) -> Iterator[Risk]:
    """Yield what is wrong with the migration's transaction; ``steps`` are all of its steps."""
    for step in steps:
        yield from _concurrently(step)
        yield from _irreversible(step)
    yield from _half_state(steps)
    yield from _mixed(steps)
    yield from _validated(steps)


def moves_rows(operation: Operation) -> bool:
    """Whether an operation changes rows: code, or SQL that says so."""
    if isinstance(operation, operations.RunPython):
        return operation.code is not operations.RunPython.noop
    return isinstance(operation, operations.RunSQL) and any(
        lexing.CHANGES_ROWS.search(each)
        for each in lexing.statements(lexing.text_of(operation.sql))
    )


def changed_table(step: Step) -> str:
    """Return the table that others see and whose schema the step changes, or nothing."""
    operation = step.operation
    if change := change_of(step):
        return change.table if changes_schema(change) else ""
    if isinstance(operation, operations.RunSQL):
        return _altered_by_sql(step, operation)
    if isinstance(operation, operations.RenameModel):
        old, new = step.old_model(operation.old_name), step.new_model(operation.new_name)
        same = old and new and old._meta.db_table == new._meta.db_table
        return "" if old is None or same else str(old._meta.db_table)
    together = operations.AlterUniqueTogether | operations.AlterIndexTogether
    if isinstance(operation, operations.DeleteModel | operations.AlterModelTable | together):
        name = operation.name
    elif isinstance(
        operation,
        operations.AddIndex
        | operations.RemoveIndex
        | operations.AddConstraint
        | operations.RemoveConstraint,
    ) or is_postgresql_own(operation, "ValidateConstraint"):
        name = operation.model_name
    else:
        return ""
    model = step.old_model(name)
    return str(model._meta.db_table) if model else ""


def _altered_by_sql(step: Step, operation: operations.RunSQL) -> str:
    for statement, fresh in lexing.in_order(lexing.text_of(operation.sql), step.fresh):
        if lexing.CHANGES_SCHEMA.search(statement):
            names = (lexing.name_in(each, "table") for each in lexing.ON_TABLE.finditer(statement))
            table = next(names, "")
            if table not in fresh:
                return table or "an existing table"
    return ""


def _concurrently(step: Step) -> Iterator[Risk]:
    operation = step.operation
    if not step.atomic or not step.on_postgresql:
        return
    what = ""
    if is_postgresql_own(operation, "NotInTransactionMixin"):
        what = type(operation).__name__
    elif isinstance(operation, operations.RunSQL):
        texts = lexing.statements(lexing.text_of(operation.sql))
        what = next(
            (" ".join(each.split()[:4]) for each in texts if OWN_TRANSACTION.search(each)), ""
        )
    if what:
        yield step.risk(
            "concurrently-in-transaction",
            Severity.DANGER,
            f"{what} fails inside the migration's transaction.",
            "Put it into a migration of its own, with atomic = False.",
        )


def _irreversible(step: Step) -> Iterator[Risk]:
    operation = step.operation
    if operation.reversible or isinstance(operation, operations.SeparateDatabaseAndState):
        return
    mends = {
        operations.RunPython: "reverse_code (RunPython.noop, where nothing needs to be undone)",
        operations.RunSQL: "reverse_sql (RunSQL.noop, where nothing needs to be undone)",
    }
    mend = next((text for kind, text in mends.items() if isinstance(operation, kind)), "")
    yield step.risk(
        "irreversible",
        Severity.WARNING,
        f"{type(operation).__name__} cannot be undone: migrating back stops here.",
        f"Give it {mend}." if mend else "Have a backup at hand when it is applied.",
    )


def _half_state(steps: Sequence[Step]) -> Iterator[Risk]:
    """Yield the first of several operations that a failure of a later one would leave applied."""
    working = [step for step in steps if changed_table(step) or moves_rows(step.operation)]
    places = sorted({step.index for step in working})
    if working and not working[0].atomic and len(places) > 1:
        yield working[0].risk(
            "half-state",
            Severity.WARNING,
            f"atomic = False, and {len(places)} operations: where a later one fails, the earlier "
            f"ones stay, the migration is not recorded, and running it again stumbles over them.",
            "Give each operation a migration of its own.",
        )


def _mixed(steps: Sequence[Step]) -> Iterator[Risk]:
    """Yield each change of rows that shares a transaction with a change of an existing table."""
    tables = {step.index: table for step in steps if (table := changed_table(step))}
    for step in steps:
        if not step.atomic or not moves_rows(step.operation):
            continue
        earlier = [tables[index] for index in sorted(tables) if index < step.index]
        later = [tables[index] for index in sorted(tables) if index >= step.index]
        if earlier:
            why = f"the lock on {earlier[-1]} is held while the rows change"
        elif later:
            why = (
                f"altering {later[0]} afterwards can fail for pending trigger events, and the rows "
                f"stay locked until it is done"
            )
        else:
            continue
        yield step.risk(
            "mixed-data-and-schema",
            Severity.DANGER,
            f"Rows and schema change in one transaction: {why}.",
            "Put the change of rows into a migration of its own, between those of the schema.",
            (earlier or later)[-1 if earlier else 0],
        )


def _validated(steps: Sequence[Step]) -> Iterator[Risk]:
    added = {
        step.operation.constraint.name
        for step in steps
        if is_postgresql_own(step.operation, "AddConstraintNotValid")
    }
    for step in steps:
        operation = step.operation
        if (
            step.atomic
            and is_postgresql_own(operation, "ValidateConstraint")
            and operation.name in added
        ):
            yield step.risk(
                "validate-with-add",
                Severity.DANGER,
                f"{operation.name} is validated under the lock of the ALTER TABLE that added it: "
                f"all rows are read while nobody reads or writes them.",
                f"Put ValidateConstraint for {operation.name} into a migration of its own.",
                changed_table(step),
            )
