"""While a job is paused nothing of it is late; what lay in a pause is missed by nobody."""

import datetime
from dataclasses import replace

import pytest

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Job
from django_runbook.jobs.watch.explanations import explain
from django_runbook.jobs.watch.status import Health, Missed, check, jobs, next_slot
from tests.factories import AccountFactory
from tests.ops.jobs.past_runs import (
    DAY,
    HOUR,
    INSTANT,
    JOB,
    MINUTE,
    SLOT,
    TRIAL,
    paused,
    ran,
)

pytestmark = pytest.mark.django_db
GRACE = 6 * HOUR
WEEK = 7 * DAY


def health(now: datetime.datetime) -> Health:
    """Return how the only job is."""
    (found,) = check(now)
    return found


def test_paused_job_is_well(declare):
    """Whatever failed, was missed or is overdue: somebody has said why it stands still."""
    declare(JOB, registered=(EXPIRE_TRIALS,))
    AccountFactory(created=SLOT - TRIAL - 9 * DAY)
    ran(started=SLOT - 9 * DAY)
    ran("FAILED", SLOT - 8 * DAY)
    now = SLOT + DAY
    assert health(now).ok is False
    paused(SLOT - DAY, SLOT + 3 * DAY)
    found = health(now)
    assert (found.ok, found.forgotten, found.paused.end) == (True, False, SLOT + 3 * DAY)
    assert (found.missed, found.waiting, found.failed, found.overdue) == (None, None, None, None)
    assert found.next_slot == SLOT + 3 * DAY
    after = health(SLOT + 3 * DAY)
    assert (after.ok, after.paused, after.failed.status) == (False, None, "FAILED")


def test_slots_of_a_pause_are_not_missed_when_it_is_over(declare):
    """Only those before it and behind it count, and the first of them is named."""
    ran(started=SLOT)
    paused(SLOT + HOUR, SLOT + 9 * DAY, resumed=SLOT + 4 * DAY)
    assert health(SLOT + 4 * DAY + GRACE).waiting == SLOT + 4 * DAY
    missed = health(SLOT + 6 * DAY).missed
    assert missed == Missed(slot=SLOT + 4 * DAY, late=2 * DAY, more=1)
    ran(started=SLOT + 4 * DAY + HOUR)
    assert health(SLOT + 5 * DAY - INSTANT).ok


@pytest.mark.parametrize(
    ("until", "age", "forgotten"),
    [(None, WEEK, False), (None, WEEK + INSTANT, True), (SLOT + 99 * DAY, 9 * DAY, False)],
)
def test_pause_without_an_end_is_forgotten_after_a_week(declare, until, age, forgotten):
    """It is a warning, and the job is well all the same."""
    paused(SLOT, until)
    found = health(SLOT + age)
    assert (found.ok, found.forgotten) == (True, forgotten)
    assert found.next_slot == until


def test_rows_that_became_due_in_a_pause_wait_for_the_slot_behind_it(declare):
    """They are overdue when that one's grace is over, and not when the pause ends."""
    declare(JOB, registered=(EXPIRE_TRIALS,))
    ran(started=SLOT - DAY)
    paused(SLOT - HOUR, SLOT + 9 * DAY + HOUR)
    account = AccountFactory(created=SLOT - TRIAL - HOUR)
    behind = SLOT + 10 * DAY
    assert health(behind - MINUTE).ok
    assert health(behind + GRACE).overdue is None
    assert health(behind + GRACE + INSTANT).overdue.pk == account.pk


def test_rows_of_a_job_without_a_schedule_have_the_grace_beside_the_pauses(declare):
    """Six hours in which the job could have run, before and behind two pauses."""
    declare(registered=(EXPIRE_TRIALS,))
    AccountFactory(created=SLOT - TRIAL)  # due from the slot on
    paused(SLOT + HOUR, SLOT + DAY)
    paused(SLOT + DAY + HOUR, SLOT + 2 * DAY)
    over = SLOT + 2 * DAY + 4 * HOUR  # one hour, one hour, and four
    assert health(over).ok
    assert health(over + 2 * INSTANT).overdue


def test_list_and_next_slot_know_the_pause(declare):
    """The next slot is the first behind it; there is none where it has no end."""
    declare(JOB, Job(name="tidy"))
    paused(SLOT, SLOT + 2 * DAY + INSTANT)
    paused(SLOT, job="tidy")
    first, second = jobs(SLOT + HOUR)
    assert (first.next_slot, first.paused.who) == (SLOT + 3 * DAY, "me@laptop")
    assert (second.next_slot, second.paused.end) == (None, None)
    assert next_slot("expire_trials", SLOT + HOUR) == SLOT + 3 * DAY
    assert [job.paused for job in jobs(SLOT + 3 * DAY)] == [None, second.paused]


def test_row_is_changed_behind_the_pause(declare):
    """Its story names the first slot that is not paused, or the pause that has no end."""
    account = AccountFactory(created=SLOT - TRIAL)
    made = paused(SLOT - HOUR, SLOT + DAY)
    assert explain(EXPIRE_TRIALS, str(account.pk), SLOT - MINUTE).next_slot == SLOT + DAY
    made.delete()
    paused(SLOT - HOUR)
    story = explain(EXPIRE_TRIALS, str(account.pk), SLOT)
    assert (story.next_slot, story.paused.reason) == (None, "prices")


def test_paused_job_of_the_ledger_alone_is_shown(declare):
    """Where it would be well anyway: somebody must end the pause."""
    paused(SLOT, job="import_prices")
    ran("FAILED", SLOT, job="import_prices")
    ran(started=SLOT)
    assert [(found.job, found.ok) for found in check(SLOT + HOUR)] == [
        ("expire_trials", True),
        ("import_prices", True),
    ]


def test_run_that_is_slow_is_told_in_a_pause_too(declare):
    """It began before the pause, and goes on."""
    declare(replace(JOB, cron=None))
    for day in range(3):
        ran(started=SLOT - day * DAY)
    ran("RUNNING", SLOT + HOUR)
    paused(SLOT + HOUR)
    found = health(SLOT + HOUR + 4 * MINUTE)
    assert (found.ok, found.slow.lasts, found.slow.usual) == (False, 4 * MINUTE, MINUTE)
