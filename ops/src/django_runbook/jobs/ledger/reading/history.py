"""What the ledger says of runs, as it is shown to people and programs."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

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
    seen = status(run)
    end = run.heartbeat if seen in (Status.RUNNING, Status.LOST) else run.finished
    undos = sorted(run.undone_by.all(), key=lambda undo: undo.pk)
    return RunState(
        run=run.pk,
        job=run.job,
        slot=run.slot,
        status=seen,
        started=run.started,
        finished=run.finished,
        seconds=round(((end or run.heartbeat) - run.started).total_seconds(), 3),
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
