"""What state the jobs are in: what comes next, what went wrong, and what is overdue."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from django_runbook.config import Job
from django_runbook.jobs import registry
from django_runbook.jobs.ledger.pauses import PauseState, pauses, slots_outside
from django_runbook.jobs.ledger.reading import outcomes, queries
from django_runbook.jobs.ledger.reading.history import RunState, state, status
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.watch.overdue import Overdue, overdue
from django_runbook.schedule import slots

INSTANT = datetime.timedelta(microseconds=1)
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
    """How a job is, and whether that is well (``ok``).

    ``waiting`` is the slot that has come, is not done, and is not missed before its grace is over.
    ``failed`` is the run that failed, was refused or was lost last, where nothing has succeeded
    since. ``stopped`` is a run that was stopped early and that nobody goes on with.
    """

    job: str
    ok: bool
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
    declared = [job.name for job in registry.declared()]
    names = dict.fromkeys([*declared, *registry.transitions(), *queries.job_names()])
    known = pauses(since=now)
    return [
        JobState(
            job=job.name,
            declared=job.name in declared,
            cron=job.cron,
            timezone=job.timezone,
            next_slot=_next(job, now, _of(job.name, known)),
            last=_last(job.name),
            paused=_paused(job.name, now, known),
        )
        for job in map(registry.job, names)
    ]


def check(now: datetime.datetime) -> list[Health]:
    """Say of each job that is declared or registered how it is at ``now`` (aware).

    Of a job that the ledger alone knows, where it is not well. A slot is missed when its grace is
    over, no run has done it, and it lies in no pause. A row is overdue when the first slot at which
    a run would have found it is over, with its grace; of a job without a schedule, after the grace.
    What was before the ledger does not count. While a job is paused nothing is late.
    """
    names = dict.fromkeys(job.name for job in registry.declared())
    names |= dict.fromkeys(registry.transitions())
    since = queries.kept_since() or now
    ledger = _Ledger(now, since, pauses(since=since), outcomes.running())
    found = [_health(registry.job(name), ledger) for name in names]
    others = (name for name in queries.job_names() if name not in names)
    strange = [_health(registry.job(name), ledger) for name in others]
    return [*found, *(health for health in strange if not health.ok or health.paused)]


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


@dataclass(frozen=True)
class _Ledger:
    """What is read once for all jobs: the time, since when runs are kept, pauses, what runs."""

    now: datetime.datetime
    since: datetime.datetime
    pauses: Sequence[PauseState]
    running: Sequence[Run]


def _health(job: Job, ledger: _Ledger) -> Health:
    now, mine = ledger.now, _of(job.name, ledger.pauses)
    paused = _paused(job.name, now, mine)
    runs = outcomes.newest(job.name)
    unended = [run for run in ledger.running if run.job == job.name]
    going = [run for run in unended if status(run) == Status.RUNNING]
    last = state(runs[0]) if runs else None
    waiting, missed = (None, None) if paused else _late(job, runs, ledger, mine)
    bad = None if paused else outcomes.unsettled(job.name, [*runs, *unended])
    moved = None if paused else registry.transitions().get(job.name)
    found = Health(
        job=job.name,
        ok=True,
        grace=datetime.timedelta(hours=job.grace_hours),
        next_slot=_next(job, now, mine),
        last=last,
        waiting=None if missed else waiting,
        missed=missed,
        failed=state(bad) if bad else None,
        stopped=None if paused or going else _stopped(job, last, now),
        slow=_slow(job.name, now, going),
        overdue=overdue(job, moved, now, ledger.since, mine) if moved else None,
        paused=paused,
        forgotten=bool(paused and paused.forgotten(now)),
    )
    wrong = (found.missed, found.failed, found.stopped, found.slow, found.overdue)
    return replace(found, ok=not any(wrong))


def _late(
    job: Job, runs: Sequence[Run], ledger: _Ledger, known: Sequence[PauseState]
) -> tuple[datetime.datetime | None, Missed | None]:
    """Return the first slot that has come and is not done, and what was missed of such slots."""
    now = ledger.now
    until = outcomes.done_until(job.name, runs, now) if job.cron else now
    start = max(ledger.since, until or ledger.since)
    if next(slots_outside(job, start, now, known), None) is None:
        return None, None
    done = outcomes.done_slots(job.name, start, now)
    open_slots = (at for at in slots_outside(job, start, now, known) if at not in done)
    first, over = next(open_slots, None), now - datetime.timedelta(hours=job.grace_hours)
    if first is None or first >= over:
        return first, None
    more = sum(1 for at in islice(open_slots, MANY) if at < over)
    return first, Missed(slot=first, late=now - first, more=more)


def _slow(job: str, now: datetime.datetime, going: Sequence[Run]) -> Slow | None:
    """Return the oldest run under way, where it takes longer than is believed of it."""
    usual = outcomes.usual(job) if going else None
    lasts = now - going[0].started if going else datetime.timedelta()
    if usual is None or lasts <= outcomes.too_long(usual):
        return None
    return Slow(run=state(going[0]), lasts=lasts, usual=usual)


def _stopped(job: Job, last: RunState | None, now: datetime.datetime) -> RunState | None:
    """Return the last run, where it was stopped and no slot will ever let another go on with it."""
    if job.cron or last is None or last.status != Status.STOPPED:
        return None
    over = now - datetime.timedelta(hours=job.grace_hours)
    return last if (last.finished or last.started) < over else None


def _last(job: str) -> RunState | None:
    runs = outcomes.newest(job, 1)
    return state(runs[0]) if runs else None


def _next(
    job: Job, now: datetime.datetime, known: Sequence[PauseState]
) -> datetime.datetime | None:
    return next(slots_outside(job, now, NEVER, known), None)


def _of(job: str, known: Sequence[PauseState]) -> list[PauseState]:
    return [each for each in known if each.job == job]


def _paused(job: str, now: datetime.datetime, known: Sequence[PauseState]) -> PauseState | None:
    return next((each for each in _of(job, known) if each.lasts(now)), None)


def _unexplained(run: RunState) -> RunState:
    return replace(run, reason="", allow_reason="")
