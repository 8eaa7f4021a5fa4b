"""The coming slots, as a table."""

import datetime
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from django_runbook.config import Job
from django_runbook.schedule import slots

HEAD = ("job", "UTC", "on the wall", "zone")
SHAPE = "%a %Y-%m-%d %H:%M"


def table(jobs: Iterable[Job], now: datetime.datetime, count: int) -> str:
    """Return the next ``count`` slots of each job after ``now`` (aware), in UTC and in its zone.

    Raises ``ConfigError`` for a cron expression that is never due.
    """
    rows = [
        (job.name, f"{slot:{SHAPE}}", _wall(slot, job.timezone), job.timezone)
        for job in jobs
        for slot in slots.upcoming(job, now, count)
    ]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEAD, *rows)
    )


def _wall(slot: datetime.datetime, zone: str) -> str:
    """Return a slot as the wall of its zone shows it, with the offset: an hour may come twice."""
    there = datetime.UTC if zone == "UTC" else ZoneInfo(zone)
    return f"{slot.astimezone(there):{SHAPE} %z}"
