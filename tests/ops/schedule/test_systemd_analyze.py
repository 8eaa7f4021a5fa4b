"""What systemd itself says of the timers and services: CI installs it, as it does the shells."""

import datetime
import re
import subprocess

import pytest

from django_runbook.config import Job
from django_runbook.schedule import slots, systemd
from tests.ops.schedule.clocks import utc
from tests.ops.schedule.goldens import JOBS, SCHEDULE

pytestmark = pytest.mark.slow
START = datetime.datetime(2026, 2, 20, tzinfo=datetime.UTC)
CRONS = ["17 4 * * *", "*/20 */6 1-7 * *", "5 23 28 2 *", "7 1,22 * 1-6 1-5", "1 3 1,15 * 0"]
#: It has two commands, one after the other, for it may come again while it runs.
CLOSE = Job(name="expire_trials", cron="7,37 * * * *", timeout_minutes=30, overlap="wait")


def analyzed(*argv):
    """Return what `systemd-analyze` says, in UTC."""
    return subprocess.run(
        ["systemd-analyze", *argv],
        env={"TZ": "UTC", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def elapses(event, base, count=1):
    """Return the next times of an event, as text."""
    done = analyzed("calendar", f"--iterations={count}", f"--base-time={base}", event)
    assert done.returncode == 0, done.stderr
    return re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", done.stdout)


def units(folder, *jobs):
    """Write the units of jobs beside a program that they can start; return their files."""
    program = folder / "inv"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    files = []
    for job in jobs:
        for name, text in systemd.render(job, SCHEDULE, str(folder)).items():
            (folder / name).write_text(text)
            files.append(str(folder / name))
    return files


@pytest.mark.parametrize("expression", CRONS)
def test_counts_the_same_slots(expression):
    """The next ones are those of the ledger."""
    told = set()
    for event in systemd.events(expression, "UTC"):
        found = elapses(event, f"{START - slots.SECOND:%Y-%m-%d %H:%M:%S} UTC", 12)
        assert len(found) == 12
        told |= {datetime.datetime.fromisoformat(f"{time}Z") for time in found}
    job = Job(name="expire_trials", cron=expression)
    assert sorted(told)[:12] == slots.upcoming(job, START - slots.SECOND, 12)


@pytest.mark.parametrize("jobs", [tuple(JOBS.values()), (CLOSE,)], ids=["all", "two commands"])
def test_accepts_the_units(tmp_path, jobs):
    """`verify` has nothing to say, and finds the service well shut in."""
    files = units(tmp_path, *jobs)
    done = analyzed("verify", *files)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = analyzed("security", "--offline=true", "--threshold=25", files[0])
    assert done.returncode == 0, done.stdout


def test_skips_the_gap_and_starts_after_it():
    """What is declared elapses on no time of that day; what is added does, behind the slot."""
    nightly = Job(name="tidy", cron="30 2 * * *", timezone="Europe/Berlin", safety_hours=None)
    assert slots.latest(nightly, utc("2026-03-29T12:00Z")) == utc("2026-03-29T01:00Z")
    events = re.findall("OnCalendar=(.+)", systemd.timer(nightly))
    first = [elapses(event, "2026-03-28 23:00:00 UTC") for event in events]
    assert first == [["2026-03-30 00:30:00"], ["2026-03-29 01:07:00"]]
