"""Slots: when a job is due, over daylight saving both ways, in any zone."""

import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from django_runbook.config import ConfigError, Job
from django_runbook.schedule import slots

MINUTE = datetime.timedelta(minutes=1)
SECOND = datetime.timedelta(seconds=1)
DAY = datetime.timedelta(days=1)
#: Changes of the clock: an hour, half an hour, two hours, a whole day; at night and at midnight.
CHANGES = [
    ("Africa/Casablanca", "2025-02-23T02:00Z"),
    ("Africa/Casablanca", "2025-04-06T02:00Z"),
    ("America/New_York", "2025-03-09T07:00Z"),
    ("America/New_York", "2025-11-02T06:00Z"),
    ("America/Nuuk", "2025-03-30T01:00Z"),
    ("America/Nuuk", "2025-10-26T01:00Z"),
    ("America/Santiago", "2025-04-06T03:00Z"),
    ("America/Santiago", "2025-09-07T04:00Z"),
    ("America/St_Johns", "2010-03-14T03:31Z"),
    ("America/St_Johns", "2010-11-07T02:31Z"),
    ("America/St_Johns", "2025-03-09T05:30Z"),
    ("America/St_Johns", "2025-11-02T04:30Z"),
    ("Antarctica/Troll", "2025-03-30T01:00Z"),
    ("Antarctica/Troll", "2025-10-26T01:00Z"),
    ("Australia/Lord_Howe", "2025-04-05T15:00Z"),
    ("Australia/Lord_Howe", "2025-10-04T15:30Z"),
    ("Europe/Berlin", "2025-03-30T01:00Z"),
    ("Europe/Berlin", "2025-10-26T01:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
]
ZONES = ["UTC", "Asia/Kathmandu", *dict(CHANGES)]
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def utc(text):
    """Return an aware time."""
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)


def job(cron, timezone="UTC"):
    """Return a declared job."""
    return Job(name="expire_trials", cron=cron, timezone=timezone)


def local(found, zone):
    """Return times as the wall shows them, with the offset."""
    return [f"{slot.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for slot in found]


@st.composite
def fields(draw, low, high):
    """Draw a field of a cron expression, with the numbers that it means."""
    a, b = sorted(draw(st.tuples(*[st.integers(low, high)] * 2)))
    step = draw(st.integers(2, 30))
    numbers = range(low, high + 1)
    return draw(
        st.sampled_from(
            [
                ("*", set(numbers)),
                (f"*/{step}", set(numbers[::step])),
                (f"{a}", {a}),
                (f"{a},{b}", {a, b}),
                (f"{a}-{b}", set(range(a, b + 1))),
            ]
        )
    )


any_minute, any_hour, any_day = fields(0, 59), fields(0, 23), fields(1, 31)
every_day = st.just(("*", set(range(1, 32))))
moments = st.one_of(
    st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2060, 1, 1)).map(  # noqa: DTZ001  # next line
        lambda found: found.replace(tzinfo=datetime.UTC)
    ),
    st.builds(
        lambda change, seconds: utc(change[1]) + datetime.timedelta(seconds=seconds),
        st.sampled_from(CHANGES),
        st.one_of(st.integers(-4 * 3600, 4 * 3600), st.integers(-2, 2)),
    ),
)


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


@quick
@given(st.sampled_from(ZONES), any_minute, any_hour, any_day, moments)
def test_now_lies_between_two_slots(zone, minute, hour, day, now):
    """The latest slot is not later than now, the next is later, and there is none between."""
    declared = job(f"{minute[0]} {hour[0]} {day[0]} * *", zone)
    latest, after = slots.latest(declared, now), slots.after(declared, now)
    assert latest <= now < after
    assert latest.tzinfo is after.tzinfo is datetime.UTC
    assert slots.after(declared, latest) == after
    assert slots.latest(declared, after - SECOND) == latest
    assert slots.latest(declared, after) == slots.after(declared, after - SECOND) == after
    assert slots.is_slot(declared, latest)
    assert slots.is_slot(declared, now) == (latest == now)
    coming = slots.upcoming(declared, now, 3)
    assert coming == list(slots.slots_between(declared, now, coming[-1]))
    assert coming == sorted(set(coming))
    assert coming[0] == after


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


@pytest.mark.parametrize("minutes", ["0", "*/60"])
def test_leap_days(minutes):
    """29 February comes every four years, but not in 2100."""
    yearly = job(f"{minutes} 6 29 2 *", "Europe/Berlin")
    years = [slot.year for slot in slots.upcoming(yearly, utc("2091-01-01T00:00Z"), 3)]
    assert years == [2092, 2096, 2104]
    assert slots.latest(yearly, utc("2103-12-31T00:00Z")) == utc("2096-02-29T05:00Z")
    assert slots.is_slot(yearly, utc("2096-02-29T05:00Z"))


def test_the_longest_pause():
    """Forty years without a slot are no end: 29 February on a Monday, over 2100."""
    rare = job("30 0 * 2 MON#5", "Europe/Berlin")
    assert slots.after(rare, utc("2072-03-01T00:00Z")) == utc("2112-02-28T23:30Z")
    assert slots.latest(rare, utc("2112-02-28T00:00Z")) == utc("2072-02-28T23:30Z")


def test_parts_of_a_second():
    """A moment after the slot, the slot is the latest; a moment before, it is the next."""
    declared, slot = job("17 4 * * *"), utc("2025-06-01T04:17Z")
    moment = datetime.timedelta(microseconds=1)
    assert slots.latest(declared, slot + moment) == slot
    assert slots.after(declared, slot + moment) == slot + DAY
    assert slots.latest(declared, slot - moment) == slot - DAY
    assert slots.after(declared, slot - moment) == slot
    assert slots.is_slot(declared, slot)
    assert not slots.is_slot(declared, slot + moment)


def test_now_may_be_in_any_zone():
    """What counts is the instant; what comes out is in UTC."""
    now = datetime.datetime(2025, 6, 1, 6, 17, tzinfo=ZoneInfo("Europe/Berlin"))
    assert repr(slots.latest(job("17 4 * * *"), now)) == repr(utc("2025-06-01T04:17Z"))


def test_slots_come_one_by_one():
    """A thousand years of slots are not counted before the first is there."""
    found = slots.slots_between(
        job("* * * * *"), utc("2000-01-01T00:00Z"), utc("3000-01-01T00:00Z")
    )
    assert list(islice(found, 2)) == [utc("2000-01-01T00:01Z"), utc("2000-01-01T00:02Z")]


def test_job_without_cron_has_no_slots():
    """A job that is started by hand is never due."""
    by_hand, now = Job(name="expire_trials"), utc("2025-06-01T00:00Z")
    slots.check(by_hand)
    assert slots.latest(by_hand, now) is None
    assert slots.after(by_hand, now) is None
    assert slots.upcoming(by_hand, now, 3) == []
    assert list(slots.slots_between(by_hand, now - DAY, now)) == []
    assert not slots.is_slot(by_hand, now)


def test_time_without_a_zone_is_refused():
    """It would be read as this machine's."""
    with pytest.raises(ValueError, match="has no time zone; slots need an aware time"):
        slots.latest(job("17 4 * * *"), datetime.datetime(2025, 6, 1))  # noqa: DTZ001  # the point


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("61 4 * * *", "Bad minute"),
        ("0 4 * * FRY", "Bad day-of-week"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 31 2,4,6,9,11 *", "Bad day-of-month"),
        ("*/10 2 */1 3 7L", "there is no such time in Europe/Berlin"),
        ("0 4 * *", "Wrong number of fields"),
        ("0 4 * * * *", "Wrong number of fields"),
        ("", "Wrong number of fields"),
    ],
)
def test_cron_that_is_never_due_is_refused(cron, why):
    """The file, the key, the value, and what is allowed."""
    message = (
        f"tool.django-runbook.jobs.expire_trials.cron = {cron!r} is never due ({why}); "
        'allowed: minute, hour, day, month, weekday, as in "17 4 * * *".'
    )
    wrong = job(cron, "Europe/Berlin")
    with pytest.raises(ConfigError) as error:
        slots.check(wrong, Path("/app/pyproject.toml"))
    assert str(error.value) == f"/app/pyproject.toml: {message}"
    with pytest.raises(ConfigError) as error:
        slots.check(wrong)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("cron", "zone"),
    [("17 4 * * *", "UTC"), ("30 2 * 3 7L", "Europe/Berlin"), ("0 0 29 2 *", "Asia/Kathmandu")],
)
def test_cron_that_is_due_at_some_time_passes(cron, zone):
    """However seldom, and in a gap as well."""
    slots.check(job(cron, zone))
