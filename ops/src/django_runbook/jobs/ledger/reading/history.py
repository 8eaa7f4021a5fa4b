"""What the ledger says of runs, as it is shown to people and programs."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.runs import stale
from django_runbook.jobs.models import Run, Status


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run as it stands. One whose heart has stopped is LOST, also before anybody marked it.

    ``seconds`` is what it took; where it has not ended, or was lost, up to its last heartbeat.
    ``stop_reason`` is who asked it to end, and why. ``undone_by`` are the runs that put rows of it
    back, ``undone`` says that one came to its end.
    """

    run: int
    job: str
    slot: datetime.datetime | None
    status: str
    started: datetime.datetime
    finished: datetime.datetime | None
    seconds: float
    due: int | None
    changed: int
    batches: int
    who: str
    reason: str
    stop_reason: str
    allow: int | None
    allow_reason: str
    continues: int | None
    undoes: int | None
    undone_by: tuple[int, ...]
    undone: bool


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """Some runs of a job, newest first; the next page lies ``before``, None at the end."""

    runs: tuple[RunState, ...]
    before: int | None


@dataclass(frozen=True, kw_only=True)
class Length:
    """What a run took, and how many rows it changed, to be drawn."""

    run: int
    started: datetime.datetime
    seconds: float
    changed: int
    status: Status


def history(job: str | None = None, *, count: int = 20) -> Iterator[RunState]:
    """Yield the newest runs, newest first, of one job where it is named, while they are read.

    Two queries for each page, and one page in memory.
    """
    for page in queries.newest_first(with_pulse(queries.history(job)), count):
        yield from map(state, page)


def with_pulse(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Add ``stale``, for ``status``: whether the heart has stopped, by the database's clock."""
    return runs.annotate(stale=Exists(stale().filter(pk=OuterRef("pk"))))


def status(run: Any) -> Status:
    """Return how far a run ``with_pulse`` has come."""
    return Status.LOST if run.stale else Status(run.status)


def state(run: Any) -> RunState:
    """Return a run ``with_pulse`` as it stands."""
    undos = sorted(run.undone_by.all(), key=lambda undo: undo.pk)
    return RunState(
        run=run.pk,
        job=run.job,
        slot=run.slot,
        status=status(run),
        started=run.started,
        finished=run.finished,
        seconds=_seconds(run),
        due=run.due,
        changed=run.changed,
        batches=run.batches,
        who=run.who,
        reason=run.reason,
        stop_reason=run.stop_reason,
        allow=run.allow,
        allow_reason=run.allow_reason,
        continues=run.continues_id,
        undoes=run.undoes_id,
        undone_by=tuple(undo.pk for undo in undos if undo.changed),
        undone=any(undo.status == Status.SUCCEEDED for undo in undos),
    )


def history_page(
    job: str,
    *,
    status: str | None = None,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    before: int | None = None,
    count: int = 50,
) -> HistoryPage:
    """Return the newest ``count`` runs of a job, by two queries: older than the run ``before``.

    Those that are in a ``status``, and that began between ``since`` and ``until`` (aware, both
    included). One whose heart has stopped is lost.
    """
    runs = with_pulse(queries.history(job))
    if status is not None:
        runs = runs.filter(_is(Status(status)))
    bounds = {"started__gte": since, "started__lte": until, "pk__lt": before}
    runs = runs.filter(**{name: value for name, value in bounds.items() if value is not None})
    found = [state(run) for run in runs[: count + 1]]
    more = found[count - 1].run if len(found) > count else None
    return HistoryPage(runs=tuple(found[:count]), before=more)


def length(run: Any) -> Length:
    """Return what a run ``with_pulse`` took."""
    return Length(
        run=run.pk,
        started=run.started,
        seconds=_seconds(run),
        changed=run.changed,
        status=status(run),
    )


def _is(wanted: Status) -> Q:
    """Return the condition that a run ``with_pulse`` is in a status; an index knows the column."""
    if wanted == Status.LOST:
        both = Q(status__in=(Status.LOST, Status.RUNNING))
        return both & (Q(status=Status.LOST) | Q(stale=True))
    return Q(status=wanted, stale=False) if wanted == Status.RUNNING else Q(status=wanted)


def _seconds(run: Any) -> float:
    """Return what a run took, up to its last heartbeat where it has not ended, or was lost."""
    end = run.heartbeat if status(run) in (Status.RUNNING, Status.LOST) else run.finished
    seconds: float = ((end or run.heartbeat) - run.started).total_seconds()
    return round(seconds, 3)
