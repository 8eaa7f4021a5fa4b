"""Reads of the ledger."""

import datetime
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Exists, Min, OuterRef, Prefetch, QuerySet, prefetch_related_objects

from django_runbook.jobs.errors import UnknownRunError
from django_runbook.jobs.models import Run, Status

#: Each value of a column by the one before it.
LOOSE_SCAN = """
WITH RECURSIVE found (value) AS (
    SELECT MIN({column}) FROM {table}
    UNION ALL
    SELECT (SELECT MIN({column}) FROM {table} WHERE {column} > found.value)
    FROM found WHERE found.value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL ORDER BY value
"""
RECURSIVE = ("mysql", "postgresql", "sqlite")
#: Runs that are read together, whatever their number.
PAGE = 500
#: Successful runs among which those that found rows are looked for.
LOOKED_AT = 10_000
#: Slots or days that the limit on the median looks at.
NIGHTS = 10
#: Columns of a run that no list shows.
LONG = ("parameters", "arguments", "change", "cursor", "output")
HALF_A_DAY = datetime.timedelta(hours=12)


def get_run(pk: int) -> Run:
    """Return a run. Raises ``UnknownRunError`` where there is none."""
    run = Run.objects.filter(pk=pk).first()
    if run is None:
        raise UnknownRunError(f"There is no run {pk}. See 'inv jobs.history'.")
    return run


def last_due(job: str, count: int) -> list[int]:
    """Return how many rows a job found due in each of its last ``count`` slots, newest first."""
    return [run.due or 0 for run in last_found(job, count)]


def last_found(job: str, count: int) -> list[Run]:
    """Return of each of the last ``count`` slots or days the run that found most, newest first.

    Found, not changed: several runs at once each change a part of what the first finds, and the
    later ones find less. So one without a slot counts with the slot whose run began nearest to it,
    within half a day, else with the others of its UTC day. Runs that found nothing say nothing, nor
    do those that were undone, nor what lies behind the newest ``LOOKED_AT``.
    """
    return list(last_nights(job, count).values())


def last_nights(job: str, count: int) -> dict[datetime.date, Run]:
    """Return the ``last_found``, newest first, by the slot or the day for which they count."""
    undone = undos().filter(undoes=OuterRef("pk"), status=Status.SUCCEEDED)
    runs = Run.objects.filter(job=job, status=Status.SUCCEEDED, undoes=None)
    runs = runs.annotate(undone=Exists(undone)).only("slot", "started", "due")
    found: list[Run] = []
    largest: dict[datetime.date, Run] = {}
    for page in newest_first(runs, LOOKED_AT):
        found += [run for run in page if run.due and not run.undone]
        largest = {
            night: max(each, key=lambda run: run.due or 0)
            for night, each in _by_time(found).items()
        }
        if len(largest) > count:  # the last that counts is whole
            break
    return dict(islice(largest.items(), count))


def undos() -> QuerySet[Run]:
    """Return the runs that undo another; an index holds no others, and is read as a whole."""
    return Run.objects.filter(undoes__isnull=False)


def newest_first(runs: QuerySet[Run], count: int) -> Iterator[list[Any]]:
    """Yield the newest ``count`` of some runs in pages, newest first, of which one is in memory."""
    rest, size = runs.order_by("-pk"), PAGE
    while count > 0 and size == PAGE:
        page = list(rest[: min(PAGE, count)])
        if page:
            yield page
            rest = runs.filter(pk__lt=page[-1].pk).order_by("-pk")
        size, count = len(page), count - len(page)


def history(job: str | None = None) -> QuerySet[Run]:
    """Return the runs, newest first, with the runs that undid them; without what is long."""
    runs = Run.objects.all() if job is None else Run.objects.filter(job=job)
    return runs.prefetch_related(_undone_by()).defer(*LONG).order_by("-pk")


def with_undos(runs: Sequence[Run]) -> None:
    """Read what undid these runs, by one query, for whoever asks each of them."""
    prefetch_related_objects(runs, _undone_by())


def job_names() -> list[str]:
    """Return the jobs that the ledger knows, by name."""
    return _distinct("job")


def models() -> list[str]:
    """Return the models (their labels) whose rows were changed, by name."""
    return [label for label in _distinct("model") if label]


def kept_since() -> datetime.datetime | None:
    """Return when the ledger got its tables (aware): no earlier slot can be missed."""
    applied = MigrationRecorder(connection).migration_qs.filter(app=Run._meta.app_label)
    since: datetime.datetime | None = applied.aggregate(since=Min("applied"))["since"]
    return since


def _undone_by() -> Any:
    return Prefetch("undone_by", Run.objects.only("status", "changed", "undoes"))


def _distinct(column: str) -> list[str]:
    """Return the values of a column that begins an index: one step in it for each.

    ``DISTINCT`` reads the whole index on each engine. PostgreSQL's wiki calls this a loose index
    scan. An engine that has no recursive queries takes ``DISTINCT``.
    """
    if connection.vendor not in RECURSIVE:
        return list(Run.objects.order_by(column).values_list(column, flat=True).distinct())
    quote = connection.ops.quote_name
    sql = LOOSE_SCAN.format(table=quote(Run._meta.db_table), column=quote(column))
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [value for (value,) in cursor.fetchall()]


def _by_time(runs: Sequence[Run]) -> dict[datetime.date, list[Run]]:
    """Return the runs by the slot or the day for which they count, in their order."""
    slots = sorted((run.started, run.slot) for run in runs if run.slot)

    def time(run: Run) -> datetime.date:
        place = bisect_left(slots, run.started, key=itemgetter(0))
        near = [(abs(run.started - at), slot) for at, slot in slots[max(place - 1, 0) : place + 1]]
        apart, slot = min(near, default=(HALF_A_DAY, None))
        return run.slot or (slot if slot and apart < HALF_A_DAY else run.started.date())

    by: dict[datetime.date, list[Run]] = {}
    for run in runs:
        by.setdefault(time(run), []).append(run)
    return by
