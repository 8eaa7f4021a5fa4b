"""How far a run has come, how fast it goes, and how long it will take."""

import datetime
from dataclasses import dataclass

from django_runbook.jobs.errors import UnknownRunError
from django_runbook.jobs.ledger.reading.history import status, with_pulse
from django_runbook.jobs.models import Batch, Run, Status

RECENT = 20  # batches by which the pace is measured


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """How far a run has come.

    ``share`` (0 to 1) and ``left`` are None where nobody knows how much there is to do, and
    ``left`` where the run is over as well. ``rate`` is in rows a second; None where no row was
    done. ``seconds`` is what it has taken so far; of one that was lost, up to its last heartbeat.
    """

    run: int
    job: str
    status: Status
    batches: int
    changed: int
    failed: int
    due: int | None
    share: float | None
    rate: float | None
    left: datetime.timedelta | None
    seconds: float
    heartbeat: datetime.datetime
    stop_asked: datetime.datetime | None


def progress(pk: int, now: datetime.datetime) -> RunProgress:
    """Return how far a run has come at ``now`` (aware), by two queries.

    Raises ``UnknownRunError`` where there is none.
    """
    run = with_pulse(Run.objects.filter(pk=pk).defer("output")).first()
    if run is None:
        raise UnknownRunError(f"There is no run {pk}. See 'inv jobs.history'.")
    seen = status(run)
    seconds = max((_end(run, seen, now) - run.started).total_seconds(), 0.0)
    rate, done = _rate(run, seen, seconds), run.changed + run.failed
    left = None
    if seen == Status.RUNNING and run.due is not None and rate:
        left = datetime.timedelta(seconds=max(run.due - done, 0) / rate)
    return RunProgress(
        run=run.pk,
        job=run.job,
        status=seen,
        batches=run.batches,
        changed=run.changed,
        failed=run.failed,
        due=run.due,
        share=_share(run, seen, done),
        rate=rate,
        left=left,
        seconds=round(seconds, 3),
        heartbeat=run.heartbeat,
        stop_asked=run.stop_asked,
    )


def _end(run: Run, seen: Status, now: datetime.datetime) -> datetime.datetime:
    if seen == Status.RUNNING:
        return now
    return run.heartbeat if seen == Status.LOST or run.finished is None else run.finished


def _share(run: Run, seen: Status, done: int) -> float | None:
    """Return how much of what was due is done; a run that shares its rows does a part of them."""
    if run.due is None:
        return None
    if seen == Status.SUCCEEDED:
        return 1.0
    return min(done / run.due, 1.0) if run.due else 0.0


def _rate(run: Run, seen: Status, seconds: float) -> float | None:
    """Return rows a second: over the last batches while it runs, else since its start."""
    recent = list(
        Batch.objects.filter(run=run)
        .order_by("-number")
        .values_list("changed", "finished")[: RECENT + 1]
    )
    if not recent:
        return None
    span = (recent[0][1] - recent[-1][1]).total_seconds()
    if seen == Status.RUNNING and span > 0:
        return sum(changed for changed, _at in recent[:-1]) / span
    return run.changed / seconds if seconds else None
