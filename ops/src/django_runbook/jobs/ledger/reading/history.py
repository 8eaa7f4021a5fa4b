"""What the ledger says of runs, as it is shown to people and programs."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Max, Min, OuterRef, QuerySet

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
class Sizes:
    """How many rows the batches of a run changed, and when the first and the last was committed."""

    smallest: int
    largest: int
    first: datetime.datetime
    last: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class RunDetails:
    """Everything about a run but its rows.

    ``settled_by`` is the run that has done since what this one did not: the next of the job, or of
    the undo, that succeeded.
    """

    state: RunState
    heartbeat: datetime.datetime
    exclusive: bool
    token: str
    user: str
    host: str
    pid: int
    ci_url: str
    parameters: Mapping[str, Any]
    arguments: Sequence[str]
    cutoff: datetime.datetime | None
    change: Mapping[str, Any]
    sizes: Sizes | None
    output: str
    settled_by: int | None
    stop_asked: datetime.datetime | None = None
    failed: int = 0


def history(job: str | None = None, *, count: int = 20) -> list[RunState]:
    """Return the newest runs, newest first; of one job where it is named."""
    return list(stream(job, count=count))


def stream(job: str | None = None, *, count: int) -> Iterator[RunState]:
    """Yield the same while they are read: two queries for each page, and one page in memory."""
    for page in queries.newest_first(with_pulse(queries.history(job)), count):
        yield from map(state, page)


def details(pk: int) -> RunDetails:
    """Return everything about a run. Raises ``UnknownRunError`` where there is none."""
    queries.get_run(pk)
    run = with_pulse(Run.objects.prefetch_related("undone_by")).get(pk=pk)
    later = Run.objects.filter(job=run.job, undoes=run.undoes_id, pk__gt=pk)
    settled = later.filter(status=Status.SUCCEEDED).order_by("pk").first()
    return RunDetails(
        state=state(run),
        heartbeat=run.heartbeat,
        exclusive=run.exclusive,
        token=str(run.token),
        user=run.user,
        host=run.host,
        pid=run.pid,
        ci_url=run.ci_url,
        parameters=run.parameters,
        arguments=run.arguments,
        cutoff=run.cutoff,
        change=run.change,
        sizes=_sizes(run),
        output=run.output,
        settled_by=settled.pk if settled else None,
        stop_asked=run.stop_asked,
        failed=run.failed,
    )


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


def _sizes(run: Run) -> Sizes | None:
    """Return what the batches of a run were; None where it has none."""
    found = run.batch_set.aggregate(
        smallest=Min("changed"), largest=Max("changed"), first=Min("finished"), last=Max("finished")
    )
    return Sizes(**found) if found["first"] else None
