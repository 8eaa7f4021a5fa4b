"""Times, zones and changes of the clock, and any cron expression."""

import datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from django_runbook.config import Job

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
