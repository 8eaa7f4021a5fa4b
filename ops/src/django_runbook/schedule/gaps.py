"""The hours that daylight saving skips: a slot in one comes right after it, if a scheduler knows.

systemd starts nothing then (``systemd-analyze calendar``), nor does Kubernetes (robfig/cron), and
of crontab's daemons some do. Whoever starts the job once more, right after the gap, does the slot:
on every other day it finds it done.
"""

import datetime
from collections.abc import Iterator
from functools import cache
from zoneinfo import ZoneInfo

from django_runbook.config import Job
from django_runbook.schedule import slots

#: The years whose gaps count; fixed, so that what is right today is right tomorrow.
FIRST = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
DAYS = 12 * 365
#: Minutes after the end of a gap: at the full hour every scheduler is busy.
SOON = 7
DAY, SECOND = datetime.timedelta(days=1), datetime.timedelta(seconds=1)


def after_gaps(job: Job) -> list[str]:
    """Return cron lines, on the wall of the job's zone, for just after a gap that swallows a slot.

    None for a job that follows the wall, or whose times are in no gap.
    """
    if job.cron is None or job.timezone == "UTC":
        return []
    zone = ZoneInfo(job.timezone)
    found: dict[tuple[int, int, int], set[int]] = {}
    for end in _ends(job.timezone):
        wall = end.astimezone(zone)
        if slots.is_slot(job, end) and not _is_declared(job, wall):
            when = (wall.minute + SOON, wall.hour, wall.isoweekday() % 7)
            found.setdefault(when, set()).add(wall.month)
    return [
        f"{minute} {hour} * {','.join(map(str, sorted(months)))} {weekday}"
        for (minute, hour, weekday), months in sorted(found.items())
    ]


def _is_declared(job: Job, wall: datetime.datetime) -> bool:
    """Tell whether a time on the wall is a slot also without a gap before it."""
    as_if = Job(name=job.name, cron=job.cron)
    return slots.is_slot(as_if, wall.replace(tzinfo=datetime.UTC))


@cache
def _ends(name: str) -> tuple[datetime.datetime, ...]:
    """Return the first second after each gap of a zone."""
    return tuple(_found(ZoneInfo(name)))


def _found(zone: ZoneInfo) -> Iterator[datetime.datetime]:
    for number in range(DAYS):
        day = FIRST + number * DAY
        if _offset(day + DAY, zone) > _offset(day, zone):
            yield _end(day, zone)


def _end(day: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """Return the first second of a day at which the wall is ahead of where it was before."""
    before, low, high = _offset(day, zone), 0, DAY // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(day + middle * SECOND, zone) > before:
            high = middle
        else:
            low = middle
    return day + high * SECOND


def _offset(at: datetime.datetime, zone: ZoneInfo) -> datetime.timedelta:
    return at.astimezone(zone).utcoffset() or datetime.timedelta()
