"""What state the jobs are in: what comes next, what went wrong, and what is overdue."""

import datetime
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Q

from django_runbook.config import Job
from django_runbook.jobs import registry
from django_runbook.jobs.ledger import queries
from django_runbook.jobs.ledger.history import RunState, state, status, with_pulse
from django_runbook.jobs.ledger.runs import stale
from django_runbook.jobs.models import Status
from django_runbook.schedule import slots

INSTANT = datetime.timedelta(microseconds=1)
#: Ends of a run after which somebody should look.
BAD = (Status.FAILED, Status.LOST, Status.REFUSED)
MANY = 1000  # slots that are counted, no more


@dataclass(frozen=True, kw_only=True)
class JobState:
    """A job, where it is declared, what its next slot is, and how its last run came out."""

    job: str
    declared: bool
    cron: str | None
    timezone: str
    next_slot: datetime.datetime | None
    last: RunState | None


@dataclass(frozen=True, kw_only=True)
class Missed:
    """The first slot that nobody has done, how long ago it was, and how many more were missed."""

    slot: datetime.datetime
    late: datetime.timedelta
    more: int


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """The oldest row that should have been changed: since when it is due, and for how long."""

    model: str
    pk: Any
    due_since: datetime.datetime
    age: datetime.timedelta


@dataclass(frozen=True, kw_only=True)
class Health:
    """How a job is: what was missed, what went wrong in the slot that is open, what is overdue."""

    job: str
    ok: bool
    grace: datetime.timedelta
    next_slot: datetime.datetime | None
    last: RunState | None
    missed: Missed | None
    failed: RunState | None
    overdue: Overdue | None


def jobs(now: datetime.datetime) -> list[JobState]:
    """Return the jobs that are declared, then others that are registered or have run."""
    declared = [job.name for job in registry.declared()]
    names = dict.fromkeys([*declared, *registry.transitions(), *queries.job_names()])
    found = (registry.job(name) for name in names)
    return [
        JobState(
            job=job.name,
            declared=job.name in declared,
            cron=job.cron,
            timezone=job.timezone,
            next_slot=slots.after(job, now),
            last=_last(job.name),
        )
        for job in found
    ]


def check(now: datetime.datetime) -> list[Health]:
    """Say of each job that is declared or registered how it is at ``now`` (aware).

    A slot is done by any run that succeeded for it, or began after it and succeeded. It is missed
    when its grace is over and it is not done. A row is overdue when the first slot at which a run
    would have found it is over, with its grace; of a job without a schedule, after the grace. What
    was before the ledger does not count.
    """
    names = dict.fromkeys(job.name for job in registry.declared())
    names |= dict.fromkeys(registry.transitions())
    since = queries.kept_since() or now
    return [_health(registry.job(name), now, since) for name in names]


def next_slot(name: str, now: datetime.datetime) -> datetime.datetime | None:
    """Return the next slot of a job; None without a schedule."""
    return slots.after(registry.job(name), now)


def due_now(name: str, now: datetime.datetime) -> int | None:
    """Return how many rows a job would find due at ``now`` (aware); None where nobody knows."""
    moved = registry.transitions().get(name)
    return moved.due(moved.cutoff(now)).count() if moved else None


def _last(job: str) -> RunState | None:
    run = with_pulse(queries.history(job)).filter(undoes=None).first()
    return state(run) if run else None


def _health(job: Job, now: datetime.datetime, since: datetime.datetime) -> Health:
    grace = datetime.timedelta(hours=job.grace_hours)
    slot = _open_slot(job, now, since)
    missed = _missed(job, slot, now, grace) if slot else None
    failed = _failed(job.name, slot) if slot else None
    overdue = _overdue(job, now, grace, since)
    return Health(
        job=job.name,
        ok=not (missed or failed or overdue),
        grace=grace,
        next_slot=slots.after(job, now),
        last=_last(job.name),
        missed=missed,
        failed=failed,
        overdue=overdue,
    )


def _open_slot(
    job: Job, now: datetime.datetime, since: datetime.datetime
) -> datetime.datetime | None:
    """Return the first slot that has come and that nobody has done."""
    done = queries.last_success(job.name)
    behind = max(since, done.started, done.slot or since) if done else since
    slot = slots.after(job, behind)
    return slot if slot and slot <= now else None


def _missed(
    job: Job, slot: datetime.datetime, now: datetime.datetime, grace: datetime.timedelta
) -> Missed | None:
    if slot + grace >= now:
        return None
    more = slots.slots_between(job, slot, now - grace - INSTANT)
    return Missed(slot=slot, late=now - slot, more=len(list(islice(more, MANY))))


def _failed(job: str, slot: datetime.datetime) -> RunState | None:
    """Return the last run since the open slot, where it came out badly and none is under way."""
    since = Q(started__gte=slot) | Q(slot__gte=slot)
    runs = queries.history(job).filter(since, undoes=None)
    if runs.filter(status=Status.RUNNING).exclude(pk__in=stale().values("pk")).exists():
        return None
    last = with_pulse(runs).first()
    return state(last) if last and status(last) in BAD else None


def _overdue(
    job: Job, now: datetime.datetime, grace: datetime.timedelta, since: datetime.datetime
) -> Overdue | None:
    """Return the oldest row that a run should have changed, by an index of ``due``."""
    moved = registry.transitions().get(job.name)
    over = now - grace - INSTANT
    edge = slots.latest(job, over) if job.cron else over
    if moved is None or edge is None or edge < since:
        return None
    cutoff = moved.cutoff(edge)
    oldest = moved.due(cutoff).order_by(moved.since, "pk").values_list("pk", moved.since).first()
    if oldest is None:
        return None
    due_since = oldest[1] + (edge - cutoff)
    name = str(moved.change.model._meta.verbose_name)
    return Overdue(model=name, pk=oldest[0], due_since=due_since, age=now - due_since)
