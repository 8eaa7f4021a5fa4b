"""Rules about the SQL of RunSQL. What needs a parser of PostgreSQL's SQL is left to squawk."""

import re
from collections.abc import Iterator
from dataclasses import replace

from django.db.migrations import operations

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.steps import Step
from django_runbook.schema.review.sql import lexing
from django_runbook.schema.review.sql.lexing import ALTER, NAME, RENAME_TABLE, name_in

IF_EXISTS = r"(?:IF\s+EXISTS\s+)?"
ACTION = rf"{ALTER}(?:.*?,\s*)?(?<!\w)"
NO_COLUMN = r"(?!(?:CONSTRAINT|PRIMARY|FOREIGN|NOT|DEFAULT|EXPRESSION|IDENTITY|INDEX|KEY)\b)"
DROP_TABLE = re.compile(rf"(?i)^DROP\s+TABLE\s+{IF_EXISTS}{NAME.format('table')}")
DROP_COLUMN = re.compile(
    rf"{ACTION}DROP\s+(?:COLUMN\s+)?{IF_EXISTS}{NO_COLUMN}{NAME.format('column')}", re.DOTALL
)
RENAME_COLUMN = re.compile(
    rf"{ALTER}RENAME\s+(?:COLUMN\s+)?(?!TO\b|CONSTRAINT\b){NAME.format('column')}\s+TO\s+"
    rf"{NAME.format('name')}",
    re.DOTALL,
)
WHOLE = re.compile(
    rf"(?i)^(?:UPDATE\s+(?:ONLY\s+)?|DELETE\s+FROM\s+(?:ONLY\s+)?){NAME.format('table')}"
    r"(?!.*\bWHERE\b)", re.DOTALL
)  # fmt: skip
BLOCK = re.compile(r"(?i)^(?:DO|CALL)\b")
AFTERWARDS = "First release code that does not name {}; then nothing that runs can miss it."


def risks(step: Step) -> Iterator[Risk]:
    """Yield what the statements of a RunSQL drop, rename, or change in each row."""
    if not isinstance(step.operation, operations.RunSQL):
        return
    for statement, fresh in lexing.in_order(lexing.text_of(step.operation.sql), step.fresh):
        for look in (_drop_table, _drop_column, _renames, _whole_table, _block):
            yield from look(replace(step, fresh=fresh), statement)


def _drop_table(step: Step, statement: str) -> Iterator[Risk]:
    if match := DROP_TABLE.search(statement):
        table = name_in(match, "table")
        if table not in step.fresh:
            yield _gone(step, "drop-table", table, table, known=table in _columns(step))


def _drop_column(step: Step, statement: str) -> Iterator[Risk]:
    if match := DROP_COLUMN.search(statement):
        table, column = name_in(match, "table"), name_in(match, "column")
        if table not in step.fresh:
            known = column in _columns(step).get(table, ())
            yield _gone(step, "drop-column", table, f"{table}.{column}", known=known)


def _gone(step: Step, rule: str, table: str, what: str, *, known: bool) -> Risk:
    if known:
        reason = f"{what} goes: code that still runs names it, and fails."
        return step.risk(rule, Severity.DANGER, reason, AFTERWARDS.format(what), table)
    reason = f"{what} goes; no model before this migration names it."
    return step.risk(rule, Severity.NOTE, reason, "Nothing to do.", table)


def _renames(step: Step, statement: str) -> Iterator[Risk]:
    if match := RENAME_TABLE.search(statement):
        rule, old = "rename-table", name_in(match, "table")
    elif match := RENAME_COLUMN.search(statement):
        rule, old = "rename-column", f"{name_in(match, 'table')}.{name_in(match, 'column')}"
    else:
        return
    if (table := name_in(match, "table")) not in step.fresh:
        yield step.risk(
            rule,
            Severity.DANGER,
            f"{old} becomes {name_in(match, 'name')}: code that still runs asks for {old}, and "
            f"fails.",
            "Keep the old name: the model finds it by db_table, the field by db_column.",
            table,
        )


def _whole_table(step: Step, statement: str) -> Iterator[Risk]:
    match = WHOLE.search(statement)
    if match and (table := name_in(match, "table")) not in step.fresh:
        yield step.risk(
            "changes-whole-table",
            Severity.WARNING,
            f"One statement changes each row of {table}, and holds their locks until the "
            f"migration ends.",
            f"Change {table} in batches by its key, each in a transaction of its own: a RunPython "
            f"in a migration with atomic = False, or a job.",
            table,
        )


def _block(step: Step, statement: str) -> Iterator[Risk]:
    if BLOCK.search(statement):
        yield step.risk(
            "unseen-operation",
            Severity.NOTE,
            "The rules do not read the code that DO and CALL run.",
            "Look at it yourself; the rehearsal runs it.",
        )


def _columns(step: Step) -> dict[str, set[str]]:
    """Return the tables and columns that the models before the step name."""
    return {
        model._meta.db_table: {
            field.column for field in model._meta.local_concrete_fields if field.column
        }
        for model in step.before.apps.get_models(include_auto_created=True)
    }
