"""What `job_status` prints of ten situations, whole: one line says what is, and what mends it."""

import datetime
import json

import pytest

from django_runbook.config import Job
from django_runbook.jobs.models import Run
from tests.ops.jobs.management.printed import DAY, HOUR, NOW, SLOT, failed
from tests.ops.jobs.past_runs import paused, ran, since

pytestmark = pytest.mark.django_db

MINUTE = datetime.timedelta(minutes=1)
NAMES = (
    "well",
    "never_ran",
    "within_grace",
    "missed_it",
    "failed_it",
    "was_refused",
    "got_lost",
    "got_stopped",
    "is_paused",
    "is_running",
    "is_slow",
)
#: With a grace of eight hours the slot of 04:17 may be done until 12:17; it is 11:29.
TEN = """\
OK     well: run {well} succeeded 2026-03-02T04:17Z; next slot 2026-03-03T04:17Z
OK     never_ran: no run yet; slot 2026-03-02T04:17Z may be done until 2026-03-02T12:17Z; \
next slot 2026-03-03T04:17Z
OK     within_grace: run {within_grace} succeeded 2026-03-01T04:17Z; slot 2026-03-02T04:17Z may \
be done until 2026-03-02T12:17Z; next slot 2026-03-03T04:17Z
WRONG  missed_it missed its slot 2026-03-02T01:17Z by 10 h 12 min (grace 8 h)  ->  inv jobs.run \
missed_it
WRONG  failed_it: run {failed_it} failed 2026-03-02T04:17Z (exit code 1)  ->  inv jobs.show \
{failed_it}
WRONG  was_refused: run {was_refused} was refused 2026-03-02T04:17Z (900 row(s) are due, more than \
max_due 500)  ->  inv jobs.show {was_refused}
WRONG  got_lost: run {got_lost} was lost 2026-03-02T04:17Z  ->  inv jobs.show {got_lost}
OK     got_stopped: run {got_stopped} was stopped early 2026-03-02T04:17Z, and the next one goes \
on; slot 2026-03-02T04:17Z may be done until 2026-03-02T12:17Z; next slot 2026-03-03T04:17Z
OK     is_paused: paused since 2026-03-01T00:00Z until 2026-03-09T00:00Z by me@laptop (the new \
price list); run {is_paused} failed 2026-02-28T04:17Z; next slot 2026-03-09T04:17Z
OK     is_running: run {is_running} has been running since 2026-03-02T11:27Z; slot \
2026-03-02T04:17Z may be done until 2026-03-02T12:17Z; next slot 2026-03-03T04:17Z
SLOW   is_slow: run {is_slow} has been running since 2026-03-02T04:17Z, for 7 h 12 min, three \
times its usual 2 h  ->  inv jobs.show {is_slow}
"""


@pytest.fixture
def ten(declare) -> dict[str, Run]:
    """Return the last run of each job, each in a situation of its own."""
    crons = dict.fromkeys(NAMES, "17 4 * * *") | {"missed_it": "17 1 * * *"}
    declare(*(Job(name=name, cron=cron, grace_hours=8) for name, cron in crons.items()))
    since(SLOT - 4 * HOUR)
    runs = {"well": ran(job="well", slot=SLOT), "never_ran": None}
    runs["failed_it"] = ran("FAILED", job="failed_it", slot=SLOT, reason="exit code\n1")
    refusal = "900 row(s) are due, more than max_due 500"
    runs["was_refused"] = ran("REFUSED", job="was_refused", slot=SLOT, due=900, reason=refusal)
    runs["got_lost"] = ran("RUNNING", job="got_lost", slot=SLOT, heartbeat=SLOT + MINUTE)
    runs["got_stopped"] = ran("STOPPED", job="got_stopped", slot=SLOT, reason="SIGTERM")
    runs["within_grace"] = ran(started=SLOT - DAY, job="within_grace")
    runs["is_running"] = ran("RUNNING", NOW - 2 * MINUTE, job="is_running")
    for days in (3, 2, 1):
        start = SLOT - days * DAY
        ran(started=start, job="is_slow", finished=start + 2 * HOUR)
    runs["is_slow"] = ran("RUNNING", job="is_slow", slot=SLOT)
    runs["is_paused"] = ran("FAILED", SLOT - 2 * DAY, job="is_paused")
    midnight = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    paused(midnight, midnight + 8 * DAY, job="is_paused", reason="the new\nprice list")
    return runs


def test_ten_situations(ten):
    """Each job has a line; the five that need a look say which command shows or mends it."""
    code, message, out = failed("job_status")
    numbers = {name: run.pk for name, run in ten.items() if run}
    assert out == TEN.format(**numbers)
    assert (code, message) == (1, "5 of 11 job(s) need a look.")
    shown = {job["job"]: job for job in json.loads(failed("job_status", "--json")[2])["jobs"]}
    found = {
        name: [key for key in ("missed", "failed", "stopped", "slow", "overdue") if job[key]]
        for name, job in shown.items()
    }
    assert {name: keys for name, keys in found.items() if keys} == {
        "missed_it": ["missed"],
        "failed_it": ["failed"],
        "was_refused": ["failed"],
        "got_lost": ["failed"],
        "is_slow": ["slow"],
    }
    assert shown["is_paused"]["paused"]["reason"] == "the new\nprice list"


def test_situations_that_come_later(declare):
    """A pause that was forgotten is a warning; a backfill that nobody goes on with is wrong."""
    declare(Job(name="tidy", cron="17 4 * * *"), Job(name="fill_names"))
    since(SLOT - 30 * DAY)
    paused(SLOT - 20 * DAY, job="tidy", reason="holidays")
    stopped = ran("STOPPED", SLOT - DAY, job="fill_names", reason="SIGTERM")
    code, message, out = failed("job_status")
    assert out == (
        "WARN   tidy: paused since 2026-02-10T04:17Z by me@laptop (holidays), without an end  ->  "
        "inv jobs.resume tidy\n"
        f"WRONG  fill_names: run {stopped.pk} was stopped early 2026-03-01T04:17Z, and nobody has "
        f"gone on with it  ->  inv jobs.show {stopped.pk}\n"
    )
    assert (code, message) == (1, "1 of 2 job(s) need a look.")
