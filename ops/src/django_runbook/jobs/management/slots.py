"""The slots that are meant by what was typed: one, the newest, or those of a span of time."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError

from django_runbook.config import Job
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.management.base import USAGE
from django_runbook.schedule import slots

LATEST = "latest"
SPAN = ".."
DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


def ordered(order: Order, job: Job, options: Mapping[str, Any], now: datetime.datetime) -> Order:
    """Return an order with the slot that was asked for. Raises ``CommandError`` as ``one`` does.

    A slot that is not the newest covers none that came later.
    """
    text = options["slot"]
    if text is None:
        return order
    at, newest = one(job, text, now), one(job, LATEST, now)
    covers = None if at == newest else at
    return replace(order, slot=at, latest=text == LATEST, helps=options["helps"], covers=covers)


def one(job: Job, text: str, now: datetime.datetime) -> datetime.datetime:
    """Return the slot that is meant. Raises ``CommandError`` with exit code 2 for one that is not.

    A slot of the future is none: nothing may run before its time.
    """
    newest = _newest(job, now)
    if text == LATEST:
        return newest
    at = _time(text)
    if at is None or at > now or not slots.is_slot(job, at):
        raise CommandError(
            f"--slot {text} is no slot of {job.name} that has come (cron {job.cron}, "
            f"{job.timezone}). The newest is {newest:%Y-%m-%dT%H:%MZ}.",
            returncode=USAGE,
        )
    return at


def several(job: Job, text: str, now: datetime.datetime) -> Sequence[datetime.datetime]:
    """Return the slots from one time to another, both with them, of those that have come.

    A date is the whole day in the job's time zone. Raises ``CommandError`` with exit code 2 where
    that is no span, and where there is no slot in it.
    """
    newest = _newest(job, now)
    first, _, last = text.partition(SPAN)
    start, end = _begin(job, first), newest if last == LATEST else _end(job, last)
    if start is None or end is None or start > end:
        raise CommandError(
            f"--slots {text} is not from one time to another, as in 2026-03-01..2026-03-07 or "
            f"2026-03-01T04:17Z..{LATEST}.",
            returncode=USAGE,
        )
    found = list(slots.slots_between(job, start - INSTANT, min(end, now)))
    if not found:
        raise CommandError(
            f"--slots {text}: no slot of {job.name} has come in that time (cron {job.cron}, "
            f"{job.timezone}). The newest is {newest:%Y-%m-%dT%H:%MZ}.",
            returncode=USAGE,
        )
    return found


def _newest(job: Job, now: datetime.datetime) -> datetime.datetime:
    newest = slots.latest(job, now)
    if newest is None:
        raise CommandError(
            f"{job.name} has no slots: give it a cron under [tool.django-runbook.jobs.{job.name}].",
            returncode=USAGE,
        )
    return newest


def _time(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    except (ValueError, OverflowError):  # the first and the last year have no other zones
        return None


def _begin(job: Job, text: str) -> datetime.datetime | None:
    """Return a time, or when a day begins."""
    try:
        day = datetime.date.fromisoformat(text)
        zone = datetime.UTC if job.timezone == "UTC" else ZoneInfo(job.timezone)
        midnight = datetime.datetime.combine(day, datetime.time(), zone)
        return midnight.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return _time(text)


def _end(job: Job, text: str) -> datetime.datetime | None:
    """Return a time, or when a day ends."""
    try:
        following = datetime.date.fromisoformat(text) + DAY
    except (ValueError, OverflowError):
        return _time(text)
    end = _begin(job, following.isoformat())
    return end and end - INSTANT
