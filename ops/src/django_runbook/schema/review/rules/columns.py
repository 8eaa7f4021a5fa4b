"""Rules about columns that are added, and about columns that change their type or NULL."""

import re
from collections.abc import Iterator

from django.db.models import NOT_PROVIDED

from django_runbook.schema.review.plan import Risk, Severity
from django_runbook.schema.review.rules.changes import (
    Change,
    change_of,
    db_type,
    has_column,
    has_db_default,
    keeps_rows,
    referring,
)
from django_runbook.schema.review.rules.steps import Step

CALLED = re.compile(r"(\w+)\(")
#: Functions that answer otherwise for each row: PostgreSQL fills the rows one by one.
VOLATILE = {
    "clock_timestamp", "gen_random_uuid", "nextval", "random", "random_normal", "timeofday",
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuidv4", "uuidv7",
}  # fmt: skip
#: Functions that answer once for a whole statement.
STABLE = {
    "array", "coalesce", "concat", "date_trunc", "jsonb_build_array", "jsonb_build_object", "lower",
    "now", "statement_timestamp", "timezone", "to_char", "transaction_timestamp", "upper",
}  # fmt: skip


def risks(step: Step) -> Iterator[Risk]:
    """Yield what adding or altering a column does to the rows, and to the code that still runs."""
    change = change_of(step)
    if change is None:
        return
    if change.old is None and has_column(change.new):
        yield from _added(change)
    elif has_column(change.old) and has_column(change.new):
        yield from _altered(change)
    elif change.old is not None and change.new is not None and change.new.many_to_many:
        yield from _many(change)


def _added(change: Change) -> Iterator[Risk]:
    step, field = change.step, change.new
    if field.generated:
        if step.on_postgresql and field.db_persist:
            yield _rewrites(
                change,
                "add-generated-column",
                "is a stored generated column",
                f"Compute {change.field} in the query, or fill a plain column in batches.",
            )
        return
    if field.primary_key:
        yield step.risk(
            "add-primary-key",
            Severity.DANGER,
            f"{change.column} is filled for each row, and indexed, while nobody reads or writes "
            f"{change.table}.",
            f"Add {change.field} as a nullable column, fill it in batches, build its unique index "
            f"concurrently, and make it the primary key with RunSQL (… PRIMARY KEY USING INDEX).",
            change.table,
        )
        return
    if field.db_default is not NOT_PROVIDED and step.on_postgresql:
        yield from _computed(change)
    elif field.null and change.given is not None and change.given.has_default():
        yield step.risk(
            "drop-db-default",
            Severity.NOTE,
            f"Rows that are there get the default of {change.column}, which Django then drops: "
            f"INSERTs of code that still runs leave NULL.",
            f"Give {change.field} a db_default where that matters.",
            change.table,
        )
    if not field.null and not has_db_default(field):
        yield _required(change)
    if field.unique and not field.null and _has_default(change):
        yield step.risk(
            "unique-default",
            Severity.DANGER,
            f"Django asks for the default of {change.column} once, and gives it to every row: with "
            f"two rows the unique index fails.",
            f"Add {change.field} with null=True and not unique, give each row its own value in "
            f"batches, then make it unique and NOT NULL in migrations of their own.",
            change.table,
        )


def _computed(change: Change) -> Iterator[Risk]:
    """Yield whether PostgreSQL must ask a db_default for each row, where it calls a function."""
    editor = change.step.connection.schema_editor(collect_sql=True)
    called = {name.lower() for name in CALLED.findall(editor.db_default_sql(change.new)[0])}
    if called & VOLATILE:
        yield _rewrites(
            change,
            "add-volatile-default",
            "has a default that differs for each row",
            f"Add {change.field} with null=True and no db_default, fill it in batches, and set "
            f"the db_default afterwards.",
        )
    elif called and called <= STABLE:
        yield change.step.risk(
            "add-volatile-default",
            Severity.NOTE,
            f"{change.column} has a default that is one value for all rows that are there: "
            f"PostgreSQL keeps the rows as they are.",
            "Nothing to do.",
            change.table,
        )


def _has_default(change: Change) -> bool:
    """Whether Django fills existing rows, by the rules of its schema editor."""
    field = change.given or change.new
    dated = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    empty = field.blank and field.empty_strings_allowed
    return field.has_default() or dated or empty or change.field == "_order"


def _required(change: Change) -> Risk:
    rows = (
        "and Django drops the default again:"
        if _has_default(change)
        else "and has no default: the migration fails on a table with rows, and"
    )
    rewrite = (
        f"Give {change.field} a db_default (it stays in the database), or add it with null=True "
        f"and make it NOT NULL once all code fills it."
    )
    if change.field == "_order":
        rewrite = "Order by a field of your own that has a db_default."
    return change.step.risk(
        "add-not-null",
        Severity.DANGER,
        f"{change.column} is NOT NULL, {rows} INSERTs of code that still runs do not name it, "
        f"and fail.",
        rewrite,
        change.table,
    )


def _rewrites(change: Change, rule: str, what: str, rewrite: str) -> Risk:
    return change.step.risk(
        rule,
        Severity.DANGER,
        f"{change.column} {what}: PostgreSQL rewrites {change.table} while nobody reads or "
        f"writes it.",
        rewrite,
        change.table,
    )


def _altered(change: Change) -> Iterator[Risk]:
    step, old, new = change.step, change.old, change.new
    was, now = db_type(old, step.connection), db_type(new, step.connection)
    if was != now:
        yield _retyped(change, was, now)
    if old.null and not new.null:
        yield step.risk(
            "set-not-null",
            Severity.DANGER,
            f"{change.column} refuses NULL: rows that hold one make the migration fail, INSERTs of "
            f"code that still runs may leave it out, and all rows are read while nobody reads or "
            f"writes {change.table}.",
            _not_null_safely(change),
            change.table,
        )
    had, has = old.db_default is not NOT_PROVIDED, new.db_default is not NOT_PROVIDED
    if had and not has and not new.null:
        yield step.risk(
            "drop-db-default",
            Severity.DANGER,
            f"{change.column} is NOT NULL and loses its default in the database: INSERTs of code "
            f"that still runs rely on it, and fail.",
            f"First release code that fills {change.field} itself, with the db_default left in.",
            change.table,
        )


def _not_null_safely(change: Change) -> str:
    if not change.step.on_postgresql:
        return f"Let all code fill {change.field}, and fill the rows in batches, before."
    return (
        f"Fill the rows in batches, then AddConstraintNotValid(CheckConstraint("
        f"condition=Q({change.field}__isnull=False))), ValidateConstraint in a migration of its "
        f"own, and AlterField last: PostgreSQL then trusts the constraint."
    )


def _retyped(change: Change, was: str, now: str) -> Risk:
    step = change.step
    if step.on_postgresql and keeps_rows(was, now):
        return step.risk(
            "change-type",
            Severity.NOTE,
            f"{change.column} changes from {was} to {now}: PostgreSQL keeps the rows as they are.",
            "Nothing to do.",
            change.table,
        )
    related = referring(step.after, change.new.model, change.new)
    also = f", and so do {', '.join(related)}, which refer to it" if related else ""
    return step.risk(
        "change-type",
        Severity.DANGER,
        f"{change.column} changes from {was} to {now}{also}: all rows and indexes are rewritten "
        f"while nobody reads or writes {change.table}, and a value that does not fit makes the "
        f"migration fail.",
        f"Add a new column of type {now}, let the code write both, fill it in batches, and let "
        f"{change.field} use it by db_column in a later release.",
        change.table,
    )


def _many(change: Change) -> Iterator[Risk]:
    old, new = change.old.remote_field, change.new.remote_field
    table = old.through._meta.db_table
    if old.through._meta.auto_created and (
        table != new.through._meta.db_table or old.model._meta.label != new.model._meta.label
    ):
        yield change.step.risk(
            "alter-many-to-many",
            Severity.DANGER,
            f"{table}, the table behind {change.model}.{change.field}, is renamed or refers to "
            f"other rows: code that still runs asks for it as it was, and fails.",
            f"Add a second many-to-many field, let the code write both, copy the rows in batches, "
            f"and remove {change.field} in a later release.",
            table,
        )
