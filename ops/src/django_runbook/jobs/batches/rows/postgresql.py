"""One batch in one statement of PostgreSQL: lock, change, write down, count; no id leaves it.

In the first pass a row is found again by its place in the table (``ctid``), which costs the server
less than its key: what is locked does not move. One that another's commit moved between the look
and the lock is not found there, and is left for the second pass, which waits for locks and goes by
the key. While nobody else is seen to change these rows, they are not locked before, which spares a
tenth of the batch: the UPDATE asks again whether each is due. `tests/benchmarks/bench_jobs.py` says
what all that gains.

Nor does a batch of the first pass wait for the disk: a crash of the server may take the last ones
back, rows and books together, and the second pass finds those rows. What a run says of its end does
wait, and the log is flushed in its order, so that no batch before it can be lost (PostgreSQL's
manual, Asynchronous Commit).
"""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import F, Func, QuerySet
from django.db.models.sql import UpdateQuery

from django_runbook.jobs.batches.rows import paging
from django_runbook.jobs.database.fields import WHOLE
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.registry import Change, field_of

STATEMENT = """
WITH picked ({names}) AS MATERIALIZED ({picked}),
changed AS ({update} RETURNING {returned}),
written AS (
    INSERT INTO {batches} (run_id, number, changed, {columns}, finished)
    SELECT %s, %s, count(*), {lists}, statement_timestamp()
    FROM {source} HAVING count(*) > 0 RETURNING changed
),
counted AS (
    UPDATE {runs} SET changed = {runs}.changed + coalesce((SELECT changed FROM written), 0),
        batches = batches + (SELECT count(*) FROM written), heartbeat = statement_timestamp()
    WHERE id = %s AND status = 'RUNNING'
    RETURNING CASE WHEN stop_asked IS NULL THEN '' ELSE stop_reason END AS asked
)
SELECT {keys}, (SELECT count(*) FROM picked), coalesce((SELECT changed FROM written), 0),
    (SELECT asked FROM counted), {commit}
FROM picked ORDER BY {newest} LIMIT 1
"""
NOT_WAITING = "set_config('synchronous_commit', 'off', true)"
#: Fields whose values JSON has as they are, and those that it has as their text.
AS_THEY_ARE = (models.BooleanField, models.IntegerField)
AS_TEXT = (models.CharField, models.TextField, models.UUIDField, models.DecimalField)
#: Of each connection, whether the rows of a table have a place of their own in it.
_placed: "WeakKeyDictionary[Any, dict[str, bool]]" = WeakKeyDictionary()


class _Place(Func):
    """Where a row is."""

    template = "%(function)s"
    output_field = models.TextField()


class _AmongPicked(Func):
    """Whether a row is where one of the picked ones is."""

    template = "%(function)s = ANY (ARRAY(SELECT place FROM picked))"
    output_field = models.BooleanField()


def fits(change: Change, connection: Any) -> bool:
    """Tell whether one statement can make this change: in the model's own table, with SQL alone."""
    own = set(change.model._meta.local_concrete_fields)
    fields = [field_of(change.model, name) for name in (*change.was, *change.to)]
    plain = all(field in own for field in fields)
    kept = [field_of(change.model, name) for name in change.kept]
    return plain and connection.vendor == "postgresql" and None not in map(_as_json, kept)


def apply(
    picked: QuerySet[Any, Any], change: Change, run: Run, number: int
) -> tuple[Any, ...] | None:
    """Change what is picked, and write the batch, and count it; None where nothing is picked.

    Returns the last key in the order of the run, how many rows were locked, how many the database
    changed, and who asked the run to end, and why: empty where nobody has, None where the run is
    not running any more and has counted nothing.
    """
    connection = connections[picked.db]
    try:
        sql, parameters = _statement(picked, change, connection)
    except EmptyResultSet:  # Django sees that nothing can match
        return None
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, run.pk, number, run.pk])
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _statement(
    picked: QuerySet[Any, Any], change: Change, connection: Any
) -> tuple[str, tuple[Any, ...]]:
    """Return the statement, and the parameters up to those of the run."""
    quote = connection.ops.quote_name
    table, pk = change.model._meta.db_table, field_of(change.model, "pk")
    keys = [f"key_{number}" for number, _ in enumerate(picked.query.values_select)]
    unlocked = paging.is_unlocked(picked)
    first = picked.query.select_for_update_skip_locked
    placed = first and _has_places(table, connection)
    place = f"{quote(table)}.{'ctid' if placed else quote(pk.column)}"
    old = {f"old_{number}": F(name) for number, name in enumerate(change.kept)}
    found = picked.annotate(place=_Place(function=place), **old)
    select, selected = found.query.get_compiler(connection=connection).as_sql()
    if not (
        unlocked or found.query.select_for_update
    ):  # through other tables, whose rows are not to be locked
        skipped = " SKIP LOCKED" if first else ""
        select += f" FOR NO KEY UPDATE OF {quote(table)}{skipped}"
    due = _due_again(picked) if unlocked else change.model._base_manager.using(connection.alias)
    update, updated = _update(due, change, place, connection)
    lists = _lists(change, pk, connection)
    sql = STATEMENT.format(
        names=", ".join((*keys, "place", *old)),
        picked=select,
        update=update,
        returned=", ".join(quote(field_of(change.model, name).column) for name in _read(change)),
        batches=quote(Batch._meta.db_table),
        runs=quote(Run._meta.db_table),
        columns=", ".join(lists),
        lists=", ".join(lists.values()),
        source=f"changed JOIN picked ON {quote(pk.column)} = {keys[-1]}" if old else "changed",
        keys=", ".join(keys),
        newest=", ".join(f"{key} DESC" for key in keys),
        commit=NOT_WAITING if first else "NULL",
    )
    return sql, (*selected, *updated)


def _update(rows: Any, change: Change, place: str, connection: Any) -> tuple[str, tuple[Any, ...]]:
    """Return Django's own UPDATE of the picked rows; the conditions stand in it again."""
    found = rows.filter(_AmongPicked(function=place), **change.was)
    query: Any = found.query.chain(UpdateQuery)
    query.add_update_values(dict(change.to))
    sql, parameters = query.get_compiler(connection=connection).as_sql()
    return sql, parameters


def _due_again(picked: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    """Return all rows that are due, of which some were picked: nobody has locked those.

    A row that another changes meanwhile is waited for, and looked at again as it then is, with each
    condition of the UPDATE (PostgreSQL's manual, Read Committed).
    """
    rows = picked.all()
    rows.query.clear_limits()
    return rows.order_by()


def _read(change: Change) -> tuple[str, ...]:
    return ("pk", *change.kept)


def _lists(change: Change, pk: Any, connection: Any) -> Mapping[str, str]:
    """Return the columns of a batch, and what stands in each: as ``values.encode`` has it."""
    quote = connection.ops.quote_name
    column = quote(pk.column)
    whole = pk.rel_db_type(connection) in WHOLE
    spelt = f"{column}{_as_json(pk) or ''}"  # as text, a decimal keeps every digit
    ids = f"array_agg({column}::bigint)" if whole else f"to_jsonb(array_agg({spelt}))"
    lists = {"numbers" if whole else "keys": ids}
    if change.kept:
        fields = [field_of(change.model, name) for name in change.kept]
        old = [f"old_{number}{_as_json(field)}" for number, field in enumerate(fields)]
        new = [f"changed.{quote(field.column)}{_as_json(field)}" for field in fields]
        # An array of text is a third of the work of as many values of JSON.
        plain = all(map(_as_json, fields))
        each = "to_jsonb(array_agg(ARRAY[{}]))" if plain else "jsonb_agg(jsonb_build_array({}))"
        lists |= {"old": each.format(", ".join(old)), "new": each.format(", ".join(new))}
    return lists


def _as_json(field: Any) -> str | None:
    """Return the cast that makes JSON of a value; None for a field that only Python can read."""
    if field.remote_field:
        return _as_json(field.target_field)
    if hasattr(field, "from_db_value") or not type(field).__module__.startswith("django.db.models"):
        return None
    if isinstance(field, AS_THEY_ARE):
        return ""
    return "::text" if isinstance(field, AS_TEXT) else None


def _has_places(table: str, connection: Any) -> bool:
    """Tell whether a place names one row: not in a view, nor where others hold the rows."""
    known = _placed.setdefault(connection, {})
    if table not in known:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relkind = 'r' AND NOT relhassubclass FROM pg_class"
                " WHERE oid = %s::regclass",
                [connection.ops.quote_name(table)],
            )
            (known[table],) = cursor.fetchone()
    return known[table]
