"""Over changes of the clock, both ways, slots are those of a cron daemon."""

import datetime
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from django_runbook.schedule import slots
from tests.ops.schedule.clocks import (
    CHANGES,
    DAY,
    MINUTE,
    SECOND,
    ZONES,
    any_day,
    any_hour,
    any_minute,
    job,
    quick,
    utc,
)


def local(found, zone):
    """Return times as the wall shows them, with the offset."""
    return [f"{slot.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for slot in found]


every_day = st.just(("*", set(range(1, 32))))


@cache
def minutes_around(zone, change):
    """Return each minute of some hours: the instant, the wall, whether again, what was skipped."""
    where, wall = ZoneInfo(zone), None
    found = []
    for number in range(-3 * 60, 3 * 60):
        before, now = wall, utc(change) + number * MINUTE
        shown = now.astimezone(where)
        wall = shown.replace(tzinfo=None, fold=0)
        missing = [] if before is None else range(1, (wall - before) // MINUTE)
        skipped = [before + gone * MINUTE for gone in missing]
        found.append((now, wall, bool(shown.fold), skipped))
    return found


def minute_by_minute(job, matches, minutes):
    """Return the slots as a cron daemon finds them that wakes up each minute and looks around."""
    if any(field.startswith("*") for field in job.cron.split()[:2]):
        return [now for now, wall, _, _ in minutes if matches(wall)]
    return [
        now
        for now, wall, again, skipped in minutes
        if (matches(wall) and not again) or any(map(matches, skipped))
    ]


def test_the_changes_are_changes():
    """What the other tests stand on: the clock does change then."""
    for name, change in CHANGES:
        zone, at = ZoneInfo(name), utc(change)
        before, then = ((at - wait).astimezone(zone).utcoffset() for wait in (SECOND, 0 * SECOND))
        assert before != then, name


@pytest.mark.slow
@settings(quick, max_examples=120)
@given(st.sampled_from(CHANGES), any_minute, any_hour, every_day | any_day)
def test_around_a_change_slots_are_what_a_clock_shows(change, minute, hour, day):
    """Forwards and backwards, whatever the job, it is due when a cron daemon would start it."""
    minutes = minutes_around(*change)
    start, end = minutes[0][0] - SECOND, minutes[-1][0]
    at_night = job(f"{minute[0]} {hour[0]} {day[0]} * *", change[0])
    expected = minute_by_minute(
        at_night,
        lambda wall: wall.minute in minute[1] and wall.hour in hour[1] and wall.day in day[1],
        minutes,
    )
    found = slots.slots_between(at_night, start, end)
    assert list(islice(found, len(minutes))) == expected
    back, slot = [], slots.latest(at_night, end)
    while slot and slot > start:
        back.append(slot)
        slot = slots.latest(at_night, slot - SECOND)
    assert back[::-1] == expected


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(ZONES), st.times())
@example("America/Nuuk", datetime.time(23, 30))
@example("America/Santiago", datetime.time(0, 0))
@example("America/St_Johns", datetime.time(1, 30))
@example("Australia/Lord_Howe", datetime.time(2, 15))
@example("Europe/Berlin", datetime.time(2, 30))
def test_daily_job_runs_once_for_each_day(zone, time):
    """Each day on the wall has one slot: at its time, or where the day has no such time, after."""
    daily = job(f"{time.minute} {time.hour} * * *", zone)
    start = datetime.datetime(2025, 1, 1, tzinfo=ZoneInfo(zone))
    end = datetime.datetime(2025, 11, 30, tzinfo=ZoneInfo(zone))
    days = [start + number * DAY for number in range((end - start).days)]
    found = list(slots.slots_between(daily, start - SECOND, end - SECOND))
    assert len(found) == len(days)
    for day, slot in zip(days, found, strict=True):
        planned = day.replace(hour=time.hour, minute=time.minute)
        real = planned.astimezone(datetime.UTC).astimezone(ZoneInfo(zone))
        if real.replace(tzinfo=None) == planned.replace(tzinfo=None):
            assert slot == planned.astimezone(datetime.UTC)
        else:
            jump = (
                slot.astimezone(ZoneInfo(zone)).utcoffset()
                - (slot - SECOND).astimezone(ZoneInfo(zone)).utcoffset()
            )
            assert jump > datetime.timedelta()
            assert slot <= planned.astimezone(datetime.UTC) < slot + jump


@pytest.mark.parametrize(
    ("cron", "zone", "start", "hours", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2025-03-30T00:00Z", 24, ["30 03:00 +0200"]),
        ("15,45 2 * * *", "Europe/Berlin", "2025-03-30T00:00Z", 24, ["30 03:00 +0200"]),
        ("0 2,3 * * *", "Europe/Berlin", "2025-03-30T00:00Z", 22, ["30 03:00 +0200"]),
        ("30 2 * * *", "Europe/Berlin", "2025-10-26T00:00Z", 24, ["26 02:30 +0200"]),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2025-03-30T00:00Z",
            2,
            ["30 01:30 +0100", "30 03:00 +0200", "30 03:30 +0200", "30 04:00 +0200"],
        ),
        (
            "17 * * * *",
            "Europe/Berlin",
            "2025-10-26T00:00Z",
            3,
            ["26 02:17 +0200", "26 02:17 +0100", "26 03:17 +0100"],
        ),
        ("*/20 2 * * *", "Europe/Berlin", "2025-03-30T00:00Z", 22, []),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2025-10-25T22:00Z",
            24,
            ["26 02:00 +0200", "26 02:30 +0200", "26 02:00 +0100", "26 02:30 +0100"],
        ),
        (
            "*/30 2 26 10 *",  # by way of summer
            "Europe/Berlin",
            "2025-01-15T00:00Z",
            24 * 300,
            ["26 02:00 +0200", "26 02:30 +0200", "26 02:00 +0100", "26 02:30 +0100"],
        ),
        (
            "*/15 2 * * *",
            "Australia/Lord_Howe",
            "2025-04-05T14:50Z",
            24,
            ["06 02:00 +1030", "06 02:15 +1030", "06 02:30 +1030", "06 02:45 +1030"],
        ),
        ("15 2 * * *", "Australia/Lord_Howe", "2025-10-04T12:00Z", 24, ["05 02:30 +1100"]),
        ("30 23 * * *", "America/St_Johns", "2010-11-07T01:00Z", 22, ["06 23:30 -0230"]),
        ("* 0 * * *", "America/Santiago", "2025-09-07T00:00Z", 24, []),
        ("5 0 * * *", "America/Santiago", "2025-09-07T00:00Z", 24, ["07 01:00 -0300"]),
        ("0 5 30 12 *", "Pacific/Apia", "2011-12-29T00:00Z", 48, ["31 00:00 +1400"]),
    ],
)
def test_slots_over_daylight_saving(cron, zone, start, hours, expected):
    """A fixed time runs once, after the gap or in the first of two hours; a * follows the wall."""
    begin = utc(start)
    found = slots.slots_between(job(cron, zone), begin, begin + hours * 60 * MINUTE)
    assert local(found, zone) == expected


@pytest.mark.parametrize(
    ("cron", "now", "latest", "after"),
    [
        (
            "45 2 * * *",
            "2025-10-26T02:30+01:00",
            "2025-10-26T02:45+02:00",
            "2025-10-27T02:45+01:00",
        ),
        (
            "15 2 * * *",
            "2025-10-26T02:10+01:00",
            "2025-10-26T02:15+02:00",
            "2025-10-27T02:15+01:00",
        ),
        (
            "45 * * * *",
            "2025-10-26T02:30+01:00",
            "2025-10-26T02:45+02:00",
            "2025-10-26T02:45+01:00",
        ),
        (
            "30 2 * * *",
            "2025-03-30T01:59+01:00",
            "2025-03-29T02:30+01:00",
            "2025-03-30T03:00+02:00",
        ),
        (
            "30 2 * * *",
            "2025-03-30T03:00+02:00",
            "2025-03-30T03:00+02:00",
            "2025-03-31T02:30+02:00",
        ),
    ],
)
def test_now_inside_a_change(cron, now, latest, after):
    """In the second of two equal hours, what lies in the first is over; so it is after a gap."""
    berlin = job(cron, "Europe/Berlin")
    assert slots.latest(berlin, utc(now)) == utc(latest)
    assert slots.after(berlin, utc(now)) == utc(after)
