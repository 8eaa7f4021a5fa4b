"""Rows that a run should have changed: the oldest of them, found by an index of what is due."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django_runbook.config import Job
from django_runbook.jobs.ledger.pauses import PauseState
from django_runbook.jobs.registry import Transition
from django_runbook.schedule import slots

INSTANT = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """The oldest row that should have been changed: since when it is due, and for how long."""

    model: str
    pk: Any
    due_since: datetime.datetime
    age: datetime.timedelta


def overdue(
    job: Job,
    moved: Transition,
    now: datetime.datetime,
    since: datetime.datetime,
    known: Sequence[PauseState],
) -> Overdue | None:
    """Return the oldest row that a run should have changed before ``now`` (aware); None where none.

    A job that has no ``since`` knows of no row since when it is due, and one that goes through its
    rows ``once`` never comes back to them. What was before the ledger (``since``) does not count.
    """
    edge = _edge(job, now, known)
    if moved.since is None or moved.once or edge is None or edge < since:
        return None
    cutoff = moved.cutoff(edge)
    oldest = moved.due(cutoff).order_by(moved.since, "pk").values_list("pk", moved.since).first()
    if oldest is None:
        return None
    due_since = _time(oldest[1], cutoff) + (edge - cutoff)
    name = str(moved.everyone().model._meta.verbose_name)
    return Overdue(model=name, pk=oldest[0], due_since=due_since, age=now - due_since)


def _edge(
    job: Job, now: datetime.datetime, known: Sequence[PauseState]
) -> datetime.datetime | None:
    """Return when a run, the last one whose grace is over, should have found what was due."""
    grace = datetime.timedelta(hours=job.grace_hours)
    if job.cron is None:
        return _awake(grace, now, known) - INSTANT
    slot = slots.latest(job, now - grace - INSTANT)
    while slot and (around := next((each for each in known if each.holds(slot)), None)):
        slot = slots.latest(job, around.since - INSTANT)
    return slot


def _awake(
    length: datetime.timedelta, now: datetime.datetime, known: Sequence[PauseState]
) -> datetime.datetime:
    """Return since when a job was awake for this long up to ``now``, without its pauses."""
    end = now
    for each in sorted(known, key=lambda each: each.since, reverse=True):
        awake = end - min(each.end or now, end)
        if awake >= length:
            break
        length, end = length - awake, min(each.since, end)
    return end - length


def _time(since: Any, otherwise: datetime.datetime) -> datetime.datetime:
    """Return a field's value as a time: a day begins at midnight UTC, and no value says nothing."""
    if isinstance(since, datetime.datetime):
        return since if since.tzinfo else since.replace(tzinfo=datetime.UTC)
    if isinstance(since, datetime.date):
        return datetime.datetime.combine(since, datetime.time(), datetime.UTC)
    return otherwise
