"""What state the jobs are in: what comes next, what went wrong, and what is overdue."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from django_runbook.config import Job
from django_runbook.jobs import registry
from django_runbook.jobs.ledger.pauses import PauseState, pauses, slots_outside
from django_runbook.jobs.ledger.reading import outcomes, queries
from django_runbook.jobs.ledger.reading.history import RunState, state
from django_runbook.jobs.models import Status
from django_runbook.jobs.watch.overdue import Overdue, overdue
from django_runbook.jobs.watch.snapshot import Seen, snapshot
from django_runbook.jobs.watch.states import State
from django_runbook.schedule import slots

NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
MANY = 1000  # slots that are counted, no more


@dataclass(frozen=True, kw_only=True)
class JobState:
    """A job, where it is declared, what its next slot is, and how its last run came out.

    ``paused`` is the pause that it is in; ``next_slot`` is then the first one after it.
    """

    job: str
    declared: bool
    cron: str | None
    timezone: str
    next_slot: datetime.datetime | None
    last: RunState | None
    paused: PauseState | None


@dataclass(frozen=True, kw_only=True)
class Missed:
    """The first slot that nobody has done, how long ago it was, and how many more were missed."""

    slot: datetime.datetime
    late: datetime.timedelta
    more: int


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A run that takes too long: how long it has taken, and what is usual."""

    run: RunState
    lasts: datetime.timedelta
    usual: datetime.timedelta


@dataclass(frozen=True, kw_only=True)
class Health:
    """How a job is, in one word (``state``), and whether that is well (``ok``).

    ``waiting`` is the slot that has come, is not done, and is not missed before its grace is over.
    ``failed`` is the run that failed, was refused or was lost last, where nothing has succeeded
    since. ``stopped`` is a run that was stopped early and that nobody goes on with.
    """

    job: str
    ok: bool
    state: State
    grace: datetime.timedelta
    next_slot: datetime.datetime | None
    last: RunState | None
    waiting: datetime.datetime | None
    missed: Missed | None
    failed: RunState | None
    stopped: RunState | None
    slow: Slow | None
    overdue: Overdue | None
    paused: PauseState | None
    #: Whether the pause has no end and is older than a week.
    forgotten: bool


def jobs(now: datetime.datetime) -> list[JobState]:
    """Return the jobs that are declared, then others that are registered or have run."""
    found = everyone()
    known, last = pauses(since=now), outcomes.newest_of((job.name for job, _ in found), 1)
    queries.with_undos([run for runs in last.values() for run in runs])
    return [
        JobState(
            job=job.name,
            declared=declared,
            cron=job.cron,
            timezone=job.timezone,
            next_slot=_next(job, now, _of(job.name, known)),
            last=next(map(state, last[job.name]), None),
            paused=next((each for each in _of(job.name, known) if each.lasts(now)), None),
        )
        for job, declared in found
    ]


def check(now: datetime.datetime) -> list[Health]:
    """Say of each job that is declared or registered how it is at ``now`` (aware).

    Of a job that the ledger alone knows, where it is not well. A slot is missed when its grace is
    over, no run has done it, and it lies in no pause. A row is overdue when the first slot at which
    a run would have found it is over, with its grace; of a job without a schedule, after the grace.
    What was before the ledger does not count. While a job is paused nothing is late.
    """
    known = {job.name for job in registry.declared()} | set(registry.transitions())
    found = [health(seen) for seen in snapshot((job for job, _ in everyone()), now)]
    return [one for one in found if one.job in known or not one.ok or one.paused]


def everyone() -> list[tuple[Job, bool]]:
    """Return the jobs that are declared, then others that are registered or have run.

    Each with whether it is declared. One query.
    """
    declared = {job.name: job for job in registry.declared()}
    names = dict.fromkeys([*declared, *registry.transitions(), *queries.job_names()])
    return [(declared.get(name) or registry.job(name), name in declared) for name in names]


def without_values(health: Health) -> Health:
    """Return what may be told outside: no key of a row, and no reason, which may hold values."""
    return replace(
        health,
        last=health.last and _unexplained(health.last),
        failed=health.failed and _unexplained(health.failed),
        stopped=health.stopped and _unexplained(health.stopped),
        slow=health.slow and replace(health.slow, run=_unexplained(health.slow.run)),
        overdue=health.overdue and replace(health.overdue, pk=None),
        paused=health.paused and replace(health.paused, reason=""),
    )


def next_slot(name: str, now: datetime.datetime) -> datetime.datetime | None:
    """Return the next slot of a job that lies in no pause; None where there is none."""
    return _next(registry.job(name), now, pauses(name, now))


def is_slot(name: str, at: datetime.datetime) -> bool:
    """Tell whether a job, as it is declared now, has a slot at ``at`` (aware)."""
    job = registry.job(name)
    return job.cron is not None and slots.is_slot(job, at)


def due_now(name: str, now: datetime.datetime) -> int | None:
    """Return how many rows a job would find due at ``now`` (aware); None where nobody knows."""
    moved = registry.transitions().get(name)
    return moved.due(moved.cutoff(now)).count() if moved else None


def health(seen: Seen) -> Health:
    """Say how a job is, of which everything but its overdue rows has been read."""
    job, paused = seen.job, seen.paused
    last = state(seen.last) if seen.last else None
    waiting, missed = (None, None) if paused else _late(seen)
    moved = None if paused else registry.transitions().get(job.name)
    found = Health(
        job=job.name,
        ok=True,
        state=State.OK,
        grace=datetime.timedelta(hours=job.grace_hours),
        next_slot=_next(job, seen.now, seen.pauses),
        last=last,
        waiting=None if missed else waiting,
        missed=missed,
        failed=state(seen.bad) if seen.bad else None,
        stopped=None if paused or seen.going else _stopped(seen, last),
        slow=_slow(seen),
        overdue=overdue(job, moved, seen.now, seen.since, seen.pauses) if moved else None,
        paused=paused,
        forgotten=bool(paused and paused.forgotten(seen.now)),
    )
    wrong = (found.missed, found.failed, found.stopped, found.slow, found.overdue)
    return replace(found, ok=not any(wrong), state=_word(found, seen))


def _word(found: Health, seen: Seen) -> State:
    """Return the worst of the words that hold; a slot that is being done is not late."""
    holds = {
        State.MISSED: found.missed,
        State.STOPPED: found.stopped,
        State.OVERDUE: found.overdue,
        State.SLOW: found.slow,
        State.LATE: found.waiting and seen.doing(found.waiting) is None,
        State.PAUSED: found.paused,
        State.RUNNING: seen.going,
        State.OK: True,
    }
    if found.failed:
        holds[State(found.failed.status.lower())] = True
    return next(word for word in State if holds.get(word))


def _late(seen: Seen) -> tuple[datetime.datetime | None, Missed | None]:
    """Return the first slot that has come and is not done, and what was missed of such slots."""
    coming = slots_outside(seen.job, seen.start, seen.now, seen.pauses)
    open_slots = (at for at in coming if not ((claim := seen.claims.get(at)) and claim.settled))
    first = next(open_slots, None)
    if first is None or first >= seen.over:
        return first, None
    more = sum(1 for at in islice(open_slots, MANY) if at < seen.over)
    return first, Missed(slot=first, late=seen.now - first, more=more)


def _slow(seen: Seen) -> Slow | None:
    """Return the oldest run under way, where it takes longer than is believed of it."""
    if not seen.going or seen.usual is None:
        return None
    run, lasts = seen.going[0], seen.now - seen.going[0].started
    if lasts <= outcomes.too_long(seen.usual):
        return None
    return Slow(run=state(run), lasts=lasts, usual=seen.usual)


def _stopped(seen: Seen, last: RunState | None) -> RunState | None:
    """Return the last run, where it was stopped and no slot will ever let another go on with it."""
    if seen.job.cron or last is None or last.status != Status.STOPPED:
        return None
    return last if (last.finished or last.started) < seen.over else None


def _next(
    job: Job, now: datetime.datetime, known: Sequence[PauseState]
) -> datetime.datetime | None:
    return next(slots_outside(job, now, NEVER, known), None)


def _of(job: str, known: Sequence[PauseState]) -> list[PauseState]:
    return [each for each in known if each.job == job]


def _unexplained(run: RunState) -> RunState:
    return replace(run, reason="", allow_reason="")
