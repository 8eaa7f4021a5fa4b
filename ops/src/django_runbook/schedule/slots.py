"""The slots of a job: the times at which its cron expression is due, in its own time zone.

The meaning is Debian's (cron(8), "daylight saving time and other time changes"), which cronsim
follows: a job at a fixed time runs once, right after a gap that swallowed it, and the first time
where the hour is repeated; a job whose minute or hour begins with ``*`` follows the clock on the
wall, so that it runs in both of two equal hours and not in an hour that there is not.

cronsim reads the expression and counts on the wall, without a zone. The zone is applied here: from
inside a repeated hour cronsim 2.8 answers with a time before the one asked for, and backwards it
passes over slots. Every time that comes out is in UTC. A job without ``cron`` has no slots.
"""

import datetime
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from django_runbook.config import ConfigError, Job

FIELDS = 5
MANY = 1000
FORWARD, BACK = 1, -1
SECOND = datetime.timedelta(seconds=1)
#: Shorter than the time between any two changes of a zone since 1940 (four days, in Freetown).
STRIDE = datetime.timedelta(days=1)
#: As cronsim; the longest pause is 40 years, from one 29 February on a Monday to the next.
NEVER = datetime.timedelta(days=50 * 366)
#: From here on a slot must come. Fixed, so that what is right today is right tomorrow.
SOME_DAY = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)


def check(job: Job, file: Path | None = None) -> None:
    """Raise ``ConfigError`` for a cron expression that cannot be read, or that is never due."""
    try:
        if job.cron is not None and after(job, SOME_DAY) is None:
            raise _refusal(job, f"there is no such time in {job.timezone}")
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}" if file else str(error)) from error


def latest(job: Job, now: datetime.datetime) -> datetime.datetime | None:
    """Return the newest slot at or before ``now`` (aware); None for a job without ``cron``."""
    return _nearest(job, _second(now), BACK)


def after(job: Job, now: datetime.datetime) -> datetime.datetime | None:
    """Return the first slot later than ``now`` (aware); None for a job without ``cron``."""
    return _nearest(job, _second(now) + SECOND, FORWARD)


def upcoming(job: Job, now: datetime.datetime, count: int) -> list[datetime.datetime]:
    """Return the next ``count`` slots later than ``now``; none for a job without ``cron``."""
    return list(islice(_later(job, now), count))


def slots_between(
    job: Job, start: datetime.datetime, end: datetime.datetime
) -> Iterator[datetime.datetime]:
    """Yield the slots later than ``start`` and not later than ``end``, one by one."""
    for slot in _later(job, start):
        if slot > end:
            return
        yield slot


def is_slot(job: Job, at: datetime.datetime) -> bool:
    """Tell whether the job is due at this very time."""
    try:
        return latest(job, at) == at
    except OverflowError:  # in the year 1 there is nothing before
        return False


def shortest_pause(job: Job) -> datetime.timedelta:
    """Return the shortest time between two slots of a year, of the first thousand."""
    year = slots_between(job, SOME_DAY, SOME_DAY + 366 * STRIDE)
    found = list(islice(year, MANY))
    return min((later - sooner for sooner, later in pairwise(found)), default=NEVER)


def _later(job: Job, now: datetime.datetime) -> Iterator[datetime.datetime]:
    """Yield every slot later than ``now``."""
    slot = after(job, now)
    while slot:
        yield slot
        slot = after(job, slot)


def _second(moment: datetime.datetime) -> datetime.datetime:
    """Return the whole second in UTC. Raises ``ValueError`` without a time zone."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment!r} has no time zone; slots need an aware time.")
    return moment.astimezone(datetime.UTC).replace(microsecond=0)


def _nearest(job: Job, start: datetime.datetime, way: int) -> datetime.datetime | None:
    """Return the slot at ``start``, or the nearest in this direction."""
    if job.cron is None:
        return None
    zone = datetime.UTC if job.timezone == "UTC" else ZoneInfo(job.timezone)
    if any(part.startswith("*") for part in job.cron.split()[:2]):  # Debian's rule
        return _on_the_wall(job, zone, start, way)
    return _at_fixed_times(job, zone, start, way)


def _at_fixed_times(
    job: Job, zone: datetime.tzinfo, start: datetime.datetime, way: int
) -> datetime.datetime | None:
    """Find the slot of a job that runs at fixed times: each time on the wall has one instant.

    The instants come in the order of the times on the wall, so the first that fits is the nearest.
    """
    beside = (start - way * SECOND).astimezone(zone)
    wall = beside.replace(tzinfo=None)
    if way == BACK:
        # In the second of two equal hours, all of the first lies behind.
        wall += _offset(beside.replace(fold=0)) - _offset(beside.replace(fold=1))
    for time in _walk(job, wall, way):
        slot = _instant(time, zone)
        if (slot - start) * way >= datetime.timedelta():
            return slot
    return None


def _on_the_wall(
    job: Job, zone: datetime.tzinfo, start: datetime.datetime, way: int
) -> datetime.datetime | None:
    """Find the slot of a job that follows the wall: stretch by stretch of one offset from UTC."""
    cursor = start
    while abs(cursor - start) < NEVER:
        offset = _offset(cursor.astimezone(zone))
        wall = (cursor + offset).replace(tzinfo=None)
        time = next(_walk(job, wall - way * SECOND, way), None)
        if time is None:
            return None
        slot = time.replace(tzinfo=datetime.UTC) - offset
        edge = _edge(zone, cursor, slot)
        if edge == slot:
            return slot
        cursor = edge + way * SECOND
    return None


def _walk(job: Job, wall: datetime.datetime, way: int) -> CronSim:
    """Return the times on the wall beyond this one. Raises ``ConfigError`` for a bad ``cron``."""
    cron = job.cron or ""
    try:
        # cronsim takes a sixth field, for seconds.
        return CronSim(cron if len(cron.split()) == FIELDS else "", wall, reverse=way == BACK)
    except (CronSimError, ValueError) as error:
        raise _refusal(job, str(error)) from error


def _refusal(job: Job, why: str) -> ConfigError:
    """Return what to raise for the job's cron expression."""
    return ConfigError(
        f"tool.django-runbook.jobs.{job.name}.cron = {job.cron!r} is never due ({why}); "
        'allowed: minute, hour, day, month, weekday, as in "17 4 * * *".'
    )


def _offset(local: datetime.datetime) -> datetime.timedelta:
    """Return how far the wall is ahead of UTC."""
    return local.utcoffset() or datetime.timedelta()


def _instant(wall: datetime.datetime, zone: datetime.tzinfo) -> datetime.datetime:
    """Return when the wall shows this for the first time; in a gap, the end of the gap."""
    first, second = (
        wall.replace(tzinfo=zone, fold=fold).astimezone(datetime.UTC) for fold in (0, 1)
    )
    # Only in a gap does fold=1 come first, before the change, and fold=0 after it (PEP 495).
    return _edge(zone, second, first) + SECOND if second < first else first


def _edge(
    zone: datetime.tzinfo, start: datetime.datetime, stop: datetime.datetime
) -> datetime.datetime:
    """Return the last second on the way from start to stop that has the offset of start."""
    offset = _offset(start.astimezone(zone))
    near = far = start
    while near != stop:
        far = near + max(-STRIDE, min(STRIDE, stop - near))
        if _offset(far.astimezone(zone)) != offset:
            break
        near = far
    while abs(far - near) > SECOND:
        middle = near + (far - near) // SECOND // 2 * SECOND
        if _offset(middle.astimezone(zone)) == offset:
            near = middle
        else:
            far = middle
    return near
