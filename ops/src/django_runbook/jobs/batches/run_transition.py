"""Runs a registered transition, with the books kept, or looks what a run would find."""

import datetime
from dataclasses import dataclass, replace
from typing import Any

from django_runbook.jobs.batches import limits
from django_runbook.jobs.batches.loop import Watch, transition
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.ledger import queries, runs
from django_runbook.jobs.ledger.recording import Recording, recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.registry import Transition
from django_runbook.jobs.registry import job as declared_job


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run came out. ``left`` is what a separate query still found due after it."""

    run: int
    status: str
    as_of: datetime.datetime
    cutoff: datetime.datetime
    due: int
    changed: int
    batches: int
    left: int
    seconds: float
    reason: str
    continues: int | None
    warnings: tuple[str, ...]


def run_transition(
    moved: Transition,
    *,
    now: datetime.datetime,
    as_of: datetime.datetime | None = None,
    order: Order | None = None,
    stop: Stop | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Change what is due at ``as_of`` (default ``now``, both aware) and verify that none is left.

    The cutoff is frozen at the start. Where the job's last run was cut short and no ``as_of`` is
    given, its cutoff is taken over, and what is left of its allowance. An outcome of FAILED means
    that rows are still due; of STOPPED, that ``stop`` asked for the end.

    Raises ``RefusedError`` where a guard forbids it, ``SlotTakenError`` where another run has the
    slot, and ``FailedError`` where the database failed for good.
    """
    stop = stop or Stop()
    runs.mark_lost(moved.job)
    frozen = _freeze(moved, now, as_of, order or Order())
    values = frozen.values(moved)
    with recorded(declared_job(moved.job), frozen.order, **values) as recording:
        if frozen.order.inside is not None:
            _fill(recording.run, frozen.order, values)
        _guard(moved, recording, frozen)
        transition(
            moved.due(frozen.cutoff),
            was=moved.was,
            to=moved.to,
            run=recording.run,
            since=moved.since,
            stop=stop,
            watch=watch,
        )
        left = _verify(moved, recording, frozen.cutoff, stop)
    return _outcome(recording, as_of=frozen.as_of, cutoff=frozen.cutoff, left=left)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would find; ``limit`` says which limit it would exceed, empty where none."""

    as_of: datetime.datetime
    cutoff: datetime.datetime
    due: int
    limit: str


def preview_transition(
    moved: Transition, *, now: datetime.datetime, as_of: datetime.datetime | None = None
) -> Preview:
    """Say what a run would find at ``as_of`` (default ``now``, both aware); write nothing."""
    as_of = (as_of or now).astimezone(datetime.UTC)
    cutoff = moved.cutoff(as_of)
    due = moved.due(cutoff).count()
    job = declared_job(moved.job)
    limit = limits.exceeded(job, due=due, **_compared(moved, due))
    return Preview(as_of=as_of, cutoff=cutoff, due=due, limit=limit)


@dataclass(frozen=True, kw_only=True)
class _Frozen:
    """What a run decides at its start and keeps to."""

    as_of: datetime.datetime
    cutoff: datetime.datetime
    order: Order
    earlier: Run | None

    def values(self, moved: Transition) -> dict[str, Any]:
        """Return what the ledger keeps of it."""
        times = {"as_of": self.as_of.isoformat(), "cutoff": self.cutoff.isoformat()}
        return {"parameters": times, **moved.change.recorded(), "continues": self.earlier}


def _freeze(
    moved: Transition, now: datetime.datetime, as_of: datetime.datetime | None, order: Order
) -> _Frozen:
    """Take over the cutoff and the allowance of a run that was cut short, or set a new cutoff."""
    earlier = None if as_of else runs.unfinished(moved.job, order.slot)
    if earlier and earlier.cutoff:
        if order.allow is None and earlier.allow is not None:
            left = earlier.allow - earlier.changed
            order = replace(order, allow=left, reason=earlier.allow_reason)
        as_of = datetime.datetime.fromisoformat(earlier.parameters["as_of"])
        return _Frozen(as_of=as_of, cutoff=earlier.cutoff, order=order, earlier=earlier)
    as_of = (as_of or now).astimezone(datetime.UTC)
    return _Frozen(as_of=as_of, cutoff=moved.cutoff(as_of), order=order, earlier=None)


def _fill(run: Run, order: Order, values: dict[str, Any]) -> None:
    """Write what the command around this one could not know into its run."""
    values = {**values, "allow": order.allow, "allow_reason": order.reason}
    for name, value in values.items():
        setattr(run, name, value)
    run.save(update_fields=list(values))


def _guard(moved: Transition, recording: Recording, frozen: _Frozen) -> None:
    """Count what is due, write it down, and let the limits decide."""
    run = recording.run
    run.due = moved.due(frozen.cutoff).count()
    run.save(update_fields=["due"])
    allow = frozen.order.allow
    compared = _compared(moved, run.due, allowed=allow is not None)
    limits.check(recording.job, due=run.due, allow=allow, **compared)


def _compared(moved: Transition, due: int, *, allowed: bool = False) -> dict[str, Any]:
    """Return what ``due`` is compared with; few rows, and allowed ones, are with nothing."""
    if allowed or due <= limits.FEW:
        return {"population": 0, "last": ()}
    return {
        "population": moved.population().count(),
        "last": queries.last_due(moved.job, limits.LAST_RUNS),
    }


def _verify(moved: Transition, recording: Recording, cutoff: datetime.datetime, stop: Stop) -> int:
    """Count once more what is due under the cutoff; a run that leaves any has failed."""
    left = moved.due(cutoff).count()
    if left and stop.reason:
        recording.says(Status.STOPPED, stop.reason)
    elif left:
        recording.says(Status.FAILED, f"{left:,} rows are still due after the last batch")
    return left


def _outcome(recording: Recording, **values: Any) -> Outcome:
    run = recording.run
    return Outcome(
        run=run.pk,
        status=recording.status,
        due=run.due or 0,
        changed=run.changed,
        batches=run.batches,
        seconds=round(recording.seconds, 3),
        reason=recording.reason,
        continues=run.continues_id,
        warnings=tuple(recording.warnings),
        **values,
    )
