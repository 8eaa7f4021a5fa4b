"""Runs a registered transition, with the books kept."""

import datetime
from dataclasses import dataclass, replace
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

from django_runbook.config import ConfigError, Job
from django_runbook.jobs.batches import checking, limits, once, passes
from django_runbook.jobs.batches.loop import Watch
from django_runbook.jobs.batches.opening import opened
from django_runbook.jobs.batches.passes import transition
from django_runbook.jobs.batches.rows import paging
from django_runbook.jobs.batches.rows.failures import Failures
from django_runbook.jobs.batches.stopping import Stop, breakable
from django_runbook.jobs.batches.throttle import Throttle
from django_runbook.jobs.database.clock import require_clock
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.heart import plain
from django_runbook.jobs.ledger.reading.said import taken_over
from django_runbook.jobs.ledger.recording.around import within
from django_runbook.jobs.ledger.recording.recording import Recording
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.registry import Transition
from django_runbook.jobs.registry import job as declared_job


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run came out.

    ``left`` is what a separate query still found due after it, without the rows that could not be
    changed, which are ``failed``; None where it was not waited for, or nothing can tell.
    """

    run: int
    status: str
    as_of: datetime.datetime
    cutoff: datetime.datetime
    due: int
    changed: int
    failed: int
    batches: int
    left: int | None
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
    that rows are still due, or could not be changed; of STOPPED, that ``stop`` asked for the end,
    which whatever is waited for does not hold up.

    Raises ``RefusedError`` where a guard forbids it, or ``now`` is not what the database's clock
    says and no ``as_of`` is given; ``SlotTakenError`` where another run has the slot,
    ``StoppedError`` where the end was asked for before there was a run, ``FailedError`` where the
    database failed for good, and ``ConfigError`` for a transition that cannot be.
    """
    checking.require(moved)
    stop, connection, job = stop or Stop(), connections[DEFAULT_DB_ALIAS], _job(moved)
    frozen = breakable(stop, connection, lambda: _freeze(moved, now, as_of, order or Order()))
    values = frozen.values(moved)
    left = None
    with opened(job, frozen.order, stop, **values) as recording:
        task = _Task(moved, recording, frozen, stop=stop, watch=watch)
        with once.alone(moved, recording.run, frozen.earlier):
            breakable(stop, connection, task.guard)
            task.do()
            left = breakable(stop, connection, task.left)
        task.judge(left)
    return _outcome(recording, as_of=frozen.as_of, cutoff=frozen.cutoff, left=left)


@dataclass(frozen=True, kw_only=True)
class _Frozen:
    """What a run decides at its start and keeps to."""

    as_of: datetime.datetime
    cutoff: datetime.datetime
    order: Order
    earlier: Run | None
    #: Up to when the run does what there is to do; None for its start.
    covers: datetime.datetime | None

    def values(self, moved: Transition) -> dict[str, Any]:
        """Return what the ledger keeps of it."""
        times = {"as_of": self.as_of.isoformat(), "cutoff": self.cutoff.isoformat()}
        more = {"continues": self.earlier, "covers": self.covers}
        return {"parameters": times, **moved.change.recorded(), **more}


def _freeze(
    moved: Transition, now: datetime.datetime, as_of: datetime.datetime | None, order: Order
) -> _Frozen:
    """Take over the cutoff and the allowance of a run that was cut short, or set a new cutoff."""
    if as_of is None:
        require_clock(now)
    runs.mark_lost(moved.job)
    order = within(moved.job, order)
    if moved.once:
        earlier = once.earlier(moved)
    else:
        earlier = None if as_of else runs.unfinished(moved.job, order.slot)
    before = taken_over(moved, earlier, now)
    if earlier and before:
        if order.allow is None and earlier.allow is not None:
            left = max(0, earlier.allow - earlier.changed)
            order = replace(order, allow=left, reason=earlier.allow_reason)
        as_of, cutoff = before
        return _Frozen(as_of=as_of, cutoff=cutoff, order=order, earlier=earlier, covers=as_of)
    covers = as_of and as_of.astimezone(datetime.UTC)
    as_of = covers or now.astimezone(datetime.UTC)
    return _Frozen(
        as_of=as_of, cutoff=moved.cutoff(as_of), order=order, earlier=None, covers=covers
    )


def _job(moved: Transition) -> Job:
    """Return the job as it is declared; what goes through its rows once does so alone.

    Raises ``ConfigError`` where several workers are declared for that.
    """
    job = declared_job(moved.job)
    if moved.once and job.workers > 1:
        raise ConfigError(
            f"{job.name}: workers = {job.workers} contradicts once: its rows are gone through "
            "once, by one run alone."
        )
    return replace(job, overlap="skip") if moved.once and not job.alone else job


class _Task:
    """What a run does between its opening and its end.

    What goes through its rows once goes on behind the cursor of the run before.
    """

    def __init__(
        self,
        moved: Transition,
        recording: Recording,
        frozen: _Frozen,
        *,
        stop: Stop,
        watch: Watch | None,
    ) -> None:
        self._moved, self._recording, self._frozen = moved, recording, frozen
        self._stop, self._watch, self._run = stop, watch, recording.run
        self._failures = Failures(recording.run, all_listed=moved.once)
        before = frozen.earlier if moved.once else None
        self._behind, self._again = once.behind(moved, before), once.again(moved, before)
        self._ended = True

    def guard(self) -> None:
        """Count what is due, write it down, and let the limits decide."""
        run, allow = self._run, self._frozen.order.allow
        run.due = sum(rows.count() for rows in self._parts())
        run.cursor = None if self._behind is None else plain(self._behind)
        run.save(update_fields=["due", "cursor"])
        compared = limits.compared(self._moved, run.due, allowed=allow is not None)
        limits.check(self._recording.job, due=run.due, allow=allow, **compared)

    def do(self) -> None:
        """Change what is due."""
        moved, job = self._moved, self._recording.job
        using: dict[str, Any] = {
            "run": self._run,
            "stop": self._stop,
            "watch": self._watch,
            "failures": self._failures,
            "throttle": Throttle.of(connections[DEFAULT_DB_ALIAS], job, moved),
        }
        if not moved.once:
            transition(self._due(), moved.change, since=moved.since, **using)
            return
        *again, rest = self._parts()
        for rows in again:
            passes.once(rows, moved.change, has_cursor=False, **using)
        self._ended = passes.once(rest, moved.change, **using)

    def left(self) -> int | None:
        """Count with a query of its own what should not be there; None where nothing tells."""
        if not self._ended:
            return self._due(self._run.cursor).count()
        wrong = self._moved.wrong(self._frozen.cutoff)
        return None if wrong is None else wrong.count() - self._failures.among(wrong)

    def judge(self, left: int | None) -> None:
        """Say how a run came out that leaves rows."""
        failed = self._run.failed
        said = []
        if failed:
            said.append(f"{failed:,} row(s) could not be changed")
        if left:
            what = "wrong" if self._moved.verify else "due"
            said.append(f"{left:,} rows are still {what} after the last batch")
        if self._failures.hopeless:
            self._recording.says(Status.FAILED, self._failures.hopeless)
        elif self._stop.reason and (left or not self._ended):
            self._recording.says(Status.STOPPED, self._stop.reason)
        elif said:
            self._recording.says(Status.FAILED, "; ".join(said))

    def _parts(self) -> list[QuerySet[Any]]:
        """Return what a run goes through: what the one before could not change, and the rest."""
        pieces = paging.pieces(self._again)
        return [*(self._due().filter(pk__in=keys) for keys in pieces), self._due(self._behind)]

    def _due(self, behind: Any = None) -> QuerySet[Any]:
        due = self._moved.due(self._frozen.cutoff)
        return due if behind is None else due.filter(pk__gt=behind)


def _outcome(recording: Recording, **values: Any) -> Outcome:
    run = recording.run
    return Outcome(
        run=run.pk,
        status=recording.status,
        due=run.due or 0,
        changed=run.changed,
        failed=run.failed,
        batches=run.batches,
        seconds=round(recording.seconds, 3),
        reason=recording.reason,
        continues=run.continues_id,
        warnings=tuple(recording.warnings),
        **values,
    )
