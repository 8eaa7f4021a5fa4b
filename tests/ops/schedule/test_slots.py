"""Slots: when a job is due, before and after now, in any zone, and when it never is."""

import datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.config import ConfigError, Job
from django_runbook.schedule import slots
from tests.ops.schedule.clocks import (
    CHANGES,
    DAY,
    SECOND,
    ZONES,
    any_day,
    any_hour,
    any_minute,
    job,
    quick,
    utc,
)

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
