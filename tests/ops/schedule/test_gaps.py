"""The hour that daylight saving skips: a slot in it is started for right after, in every export."""

import datetime

import pytest
import yaml

from django_runbook.config import Job
from django_runbook.schedule import crontab, github, kubernetes, slots, systemd
from django_runbook.schedule.gaps import after_gaps
from tests.ops.schedule.clocks import CHANGES, job, utc
from tests.ops.schedule.goldens import SCHEDULE

NIGHTLY = Job(name="tidy", cron="30 2 * * *", timezone="Europe/Berlin", safety_hours=None)
SAID = "# Right after the hour that daylight saving skips, for its slot:"


@pytest.mark.parametrize(
    ("cron", "zone", "lines"),
    [
        ("30 2 * * *", "Europe/Berlin", ["7 3 * 3 0"]),
        ("30 2 28 3 *", "Europe/Berlin", ["7 3 * 3 0"]),  # a Sunday in 2027
        ("30 3 * * *", "Europe/Berlin", []),
        ("0 2,3 * * *", "Europe/Berlin", []),  # it is due then anyway
        ("*/30 2 * * *", "Europe/Berlin", []),  # it follows the wall
        ("30 2 * * 1-5", "Europe/Berlin", []),  # never on a Sunday
        ("5 0 * * *", "America/Santiago", ["7 1 * 9 0"]),
        ("15 2 * * *", "Australia/Lord_Howe", ["37 2 * 10 0"]),
        ("30 2 * * *", "UTC", []),
        ("30 2 * * *", "Asia/Kathmandu", []),
    ],
)
def test_lines_after_the_gaps(cron, zone, lines):
    """Minute, hour, months and weekday of their ends, on the wall, and a few minutes."""
    assert after_gaps(job(cron, zone)) == lines


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=" ".join)
def test_line_is_due_after_each_gap_that_swallows_a_slot(change):
    """On the day of the gap itself, by the wall, and within the hour."""
    zone, at = change
    end = utc(at)
    if end.year < 2025:
        return
    for minute in range(0, 24 * 60, 15):
        declared = job(f"{minute % 60} {minute // 60} * * *", zone)
        wall = end.astimezone(slots.ZoneInfo(zone))
        in_gap = slots.is_slot(declared, end) and (wall.hour * 60 + wall.minute) != minute
        lines = [Job(name="x", cron=line, timezone=zone) for line in after_gaps(declared)]
        soon = [slots.after(line, end) for line in lines]
        near = [slot for slot in soon if slot - end < datetime.timedelta(hours=1)]
        assert bool(near) == in_gap, (zone, minute)


def test_each_export_says_or_does_it():
    """A line more where there can be one; Kubernetes has one line, and says so."""
    table = crontab.render(NIGHTLY, SCHEDULE, "/srv/shop").splitlines()
    assert table[table.index(SAID) + 1].startswith("7 3 * 3 0 cd /srv/shop && ")
    timer = systemd.timer(NIGHTLY).splitlines()
    assert timer[timer.index(SAID) + 1] == "OnCalendar=Sun *-03-* 03:07:00 Europe/Berlin"
    workflow = yaml.load(github.render(NIGHTLY, SCHEDULE), Loader=yaml.BaseLoader)
    assert workflow["on"]["schedule"][-1] == {"cron": "7 3 * 3 0", "timezone": "Europe/Berlin"}
    manifest = kubernetes.render(NIGHTLY, SCHEDULE)
    assert "# Kubernetes starts nothing in the hour that daylight saving skips" in manifest
