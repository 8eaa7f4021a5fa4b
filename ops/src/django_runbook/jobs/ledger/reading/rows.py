"""Which rows the batches of the ledger changed: read in pieces, whatever the size of a run."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models, transaction
from django.db.models import Func, Q, QuerySet, Value

from django_runbook.jobs.errors import BrokenLedgerError
from django_runbook.jobs.ledger.reading.keys import Keys, family
from django_runbook.jobs.models import LARGEST, Batch, Run

#: Rows of a run that are looked at together: so many fit into memory whatever the run's size.
AT_ONCE = 100_000
#: Batches that are read together, with their rows and without.
BATCHES = 200
TOGETHER = 10_000
#: Columns of a batch that grow with its rows.
HEAVY = ("numbers", "keys", "old", "new")
#: The newest batch of each of these rows. An array of the keys' own type is looked up by a hash,
#: whatever the planner thinks of a table; a join was seen to compare each with each.
NEWEST = """
SELECT key, max(id) FROM (
    SELECT id, {key} AS key FROM {batches} WHERE id > %s AND run_id IN ({runs})
) later WHERE key = ANY (%s::{kind}[]) GROUP BY key
"""
#: Nor may each batch be compared with each run.
LINEAR = "SELECT set_config('enable_nestloop', %s, true)"
BROKEN = "SELECT id FROM {batches} WHERE id > %s AND run_id IN ({runs}) AND {broken} LIMIT 1"
NUMBERS_BROKEN = "(keys IS NOT NULL OR cardinality(numbers) IS DISTINCT FROM changed)"
KEYS_BROKEN = """(numbers IS NOT NULL OR CASE WHEN jsonb_typeof(keys) = 'array'
    THEN jsonb_array_length(keys) <> changed ELSE true END)"""


#: Whether a list in JSON holds a key, by its engine; what is no list holds none.
IN_JSON = {
    "sqlite": "EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid({column}) THEN {column} END)"
    " WHERE value = %(expressions)s)",
    "mysql": "coalesce(JSON_CONTAINS({column}, %(expressions)s), 0)",
}


class Newest(NamedTuple):
    """The newest batch that changed a row, and its run."""

    batch: int
    run: int


def batches(run: Run, *, at_once: int | None = None, values: bool = False) -> Iterator[list[Batch]]:
    """Yield the batches of a run with their rows, in their order, a group of them in memory.

    A group makes ``at_once`` rows (``AT_ONCE``), or is of ``BATCHES`` batches. ``values`` says
    that what each row was and became is read as well.
    """
    known = run.batch_set.order_by("number")
    known = known if values else known.defer("old", "new")
    group: list[int] = []
    rows = 0
    for number, changed in list(run.batch_set.order_by("number").values_list("number", "changed")):
        group.append(number)
        rows += changed
        if rows >= (at_once or AT_ONCE) or len(group) == BATCHES:
            yield list(known.filter(number__range=(group[0], number)))
            group, rows = [], 0
    if group:
        yield list(known.filter(number__range=(group[0], group[-1])))


def batch_ids(run: Run) -> Iterator[list[Any]]:
    """Yield the keys of each batch of a run, in their order.

    Raises ``BrokenLedgerError`` where a batch holds none.
    """
    for group in batches(run):
        for batch in group:
            yield batch.ids


def changed_later(
    group: Sequence[Batch], *, model: type[models.Model], but: Run, harmless: Q | None = None
) -> dict[Any, Newest]:
    """Return the rows of these batches that later ones changed, each with the newest that did.

    Batches of one row are numbered in the order of their commits, for the row is locked: also where
    two runs went on at once. ``but`` is a run to leave out, and ``harmless`` says which others.

    Raises ``BrokenLedgerError`` where a later batch does not say which rows it changed.
    """
    using = but._state.db
    connection = connections[using or "default"]
    keys = Keys(model, connection)
    labels = family(model)
    runs = Run.objects.using(using).filter(Q(model__in=labels) | Q(change__model__in=labels))
    runs = runs.exclude(pk=but.pk)
    if harmless:
        runs = runs.exclude(harmless)
    first: dict[Any, int] = {}
    for batch in sorted(group, key=lambda batch: batch.pk):
        for key in keys.of(batch):
            first.setdefault(key, batch.pk)
    if connection.vendor == "postgresql" and (keys.whole or keys.text):
        return _joined(connection, first, runs, keys)
    return _streamed(first, runs, keys)


def batches_that_changed(model: type[models.Model], pk: Any) -> list[Batch]:
    """Return the batches that changed a row of ``model``, newest first, each with its run.

    A batch that does not say which rows it changed is left out.
    """
    found = Batch.objects.filter(run__model__in=family(model))
    connection = connections[found.db]
    keys = Keys(model, connection)
    if connection.vendor == "postgresql":
        found = found.filter(_holds(model, pk, connection))
    elif connection.vendor in IN_JSON and (keys.whole or keys.text):
        found = found.filter(_holds_in_json(keys, pk, connection))
    else:
        found = found.filter(pk__in=list(_holding(found, pk, keys)))
    return list(found.select_related("run").defer(*HEAVY).order_by("-pk"))


def place_of(batch: Batch, model: type[models.Model], pk: Any) -> int | None:
    """Return the place of a row in a batch; None where it has none that can be read."""
    keys = Keys(model, connections[batch._state.db or "default"])
    try:
        return keys.of(batch).index(keys.spelt(pk))
    except (BrokenLedgerError, ValueError):
        return None


def _joined(
    connection: Any, first: dict[Any, int], runs: QuerySet[Run], keys: Keys
) -> dict[Any, Newest]:
    """Let PostgreSQL look: the keys of other rows never leave it."""
    inside, parameters = runs.values("pk").query.sql_with_params()
    quoted = connection.ops.quote_name(Batch._meta.db_table)
    expanded = "unnest(numbers)" if keys.whole else "jsonb_array_elements_text(keys)"
    broken = NUMBERS_BROKEN if keys.whole else KEYS_BROKEN
    values = [min(first.values()), *parameters]
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(LINEAR, ["off"])
        cursor.execute(BROKEN.format(batches=quoted, runs=inside, broken=broken), values)
        if row := cursor.fetchone():
            raise _unclear(Batch.objects.defer(*HEAVY).get(pk=row[0]))
        kind = "bigint" if keys.whole else "text"
        sql = NEWEST.format(batches=quoted, runs=inside, key=expanded, kind=kind)
        cursor.execute(sql, [*values, list(first)])
        newest = {key: batch for key, batch in cursor.fetchall() if batch > first[key]}
        cursor.execute(LINEAR, ["on"])
    of = _runs_of(newest.values())
    return {key: Newest(batch, of[batch]) for key, batch in newest.items()}


def _runs_of(found: Iterable[int]) -> dict[int, int]:
    """Return the run of each of these batches."""
    pks = sorted(set(found))
    runs: dict[int, int] = {}
    for start in range(0, len(pks), TOGETHER):
        piece = Batch.objects.filter(pk__in=pks[start : start + TOGETHER])
        runs |= dict(piece.values_list("pk", "run_id"))
    return runs


def _streamed(first: dict[Any, int], runs: QuerySet[Run], keys: Keys) -> dict[Any, Newest]:
    """Read the later batches, some at a time, and compare here."""
    rows: dict[Any, Newest] = {}
    later = Batch.objects.filter(run__in=runs, pk__gt=min(first.values()))
    for batch in _in_pieces(later):
        try:
            again = first.keys() & keys.of(batch)
        except BrokenLedgerError as error:
            raise _unclear(batch) from error
        newest = Newest(batch.pk, batch.run_id)
        rows.update((key, newest) for key in again if first[key] < batch.pk)
    return rows


def _in_pieces(found: QuerySet[Batch]) -> Iterator[Batch]:
    """Yield batches in the order of their commits, with their keys: no driver holds them all."""
    behind = 0
    while True:
        piece = list(found.filter(pk__gt=behind).order_by("pk").defer("old", "new")[:BATCHES])
        yield from piece
        if len(piece) < BATCHES:
            return
        behind = piece[-1].pk


def _unclear(batch: Batch) -> BrokenLedgerError:
    return BrokenLedgerError(f"{batch}, a later one, does not say which rows it changed")


def _holds(model: type[models.Model], pk: Any, connection: Any) -> Q:
    """Return the condition that a batch holds a key, for PostgreSQL."""
    plain = json.loads(DjangoJSONEncoder().encode(pk))
    holds = Q(keys__contains=[plain])
    if type(plain) is int and abs(plain) <= LARGEST:
        among = Func(
            Value(plain),
            "numbers",
            template="(%(expressions)s))",
            arg_joiner=" = ANY (",
            output_field=models.BooleanField(),
        )
        holds |= Q(among)
    if not isinstance(plain, int | str) or plain != pk:
        kind: Any = model._meta.pk
        cast = Value(kind.get_db_prep_value(pk, connection), output_field=kind)
        spelled = Func(
            cast,
            template=f"to_jsonb(ARRAY[%(expressions)s::{kind.rel_db_type(connection)}])",
            output_field=models.JSONField(),
        )
        holds |= Q(keys__contains=spelled)
    return holds


def _holds_in_json(keys: Keys, pk: Any, connection: Any) -> Q:
    """Return the same for an engine that keeps lists as JSON, whose own functions look."""
    key = keys.spelt(pk)
    among = Func(
        Value(json.dumps(key) if connection.vendor == "mysql" else key),
        template=IN_JSON[connection.vendor].format(
            column=connection.ops.quote_name("numbers" if keys.whole else "keys")
        ),
        output_field=models.BooleanField(),
    )
    return Q(among)


def _holding(found: QuerySet[Batch], pk: Any, keys: Keys) -> Iterator[int]:
    """Yield the batches that hold a key."""
    for batch in _in_pieces(found):
        try:
            if keys.spelt(pk) in keys.of(batch):
                yield batch.pk
        except BrokenLedgerError:
            continue
