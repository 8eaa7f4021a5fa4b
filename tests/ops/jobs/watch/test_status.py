"""The state of the jobs: missed slots, failed runs, overdue rows, and what is well."""

import datetime
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from django_runbook.config import Job
from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.models import Run, Slot
from django_runbook.jobs.watch.overdue import Overdue
from django_runbook.jobs.watch.status import (
    Health,
    Missed,
    check,
    due_now,
    jobs,
    next_slot,
)
from tests.factories import AccountFactory
from tests.ops.jobs.past_runs import (
    DAY,
    HOUR,
    INSTANT,
    JOB,
    MINUTE,
    SLOT,
    TRIAL,
    ran,
    since,
)

pytestmark = pytest.mark.django_db
GRACE = 6 * HOUR
QUERIES = 6  # each by an index


def health(now: datetime.datetime) -> Health:
    """Return how the only job is."""
    (found,) = check(now)
    return found


@pytest.mark.parametrize(
    ("late", "missed"),
    [(HOUR, False), (GRACE, False), (GRACE + INSTANT, True), (GRACE + HOUR, True)],
)
def test_slot_is_missed_when_its_grace_is_over(declare, late, missed):
    """To the microsecond; the day before was done."""
    ran(started=SLOT - DAY)
    found = health(SLOT + late)
    assert found.missed == (Missed(slot=SLOT, late=late, more=0) if missed else None)
    assert found.ok is not missed


@pytest.mark.parametrize(
    ("values", "done"),
    [
        ({"started": SLOT}, True),
        ({"started": SLOT + HOUR}, True),
        ({"started": SLOT - INSTANT}, False),
        ({"started": SLOT - MINUTE, "slot": SLOT}, True),  # a clock that differs
        ({"started": SLOT - MINUTE - INSTANT, "slot": SLOT}, False),  # one that was wrong
        ({"started": SLOT + HOUR, "covers": SLOT - INSTANT}, False),  # an --as-of of the past
        ({"started": SLOT + HOUR, "covers": SLOT}, True),
        ({"started": SLOT + HOUR, "covers": SLOT - DAY, "slot": SLOT}, True),
        ({"started": SLOT, "status": "SKIPPED", "slot": SLOT}, True),  # another was running
        ({"started": SLOT, "status": "STOPPED"}, False),
        ({"started": SLOT, "status": "FAILED"}, False),
        ({"started": SLOT, "status": "REFUSED"}, False),
        ({"started": SLOT, "status": "RUNNING"}, False),
        ({"started": SLOT, "job": "another"}, False),
        ({"started": SLOT, "undoes": True}, False),
    ],
)
def test_slot_is_done_by_a_run_that_succeeded(declare, values, done):
    """For it, or begun after it; an undo, another job and any other end do it not."""
    first = ran(started=SLOT - DAY)
    ran(**{**values, **({"undoes": first} if values.get("undoes") else {})})
    assert (health(SLOT + GRACE + HOUR).missed is None) is done


def test_slots_before_the_ledger_do_not_count(declare):
    """A ledger that was made after the slot has missed nothing; one made before has."""
    since(SLOT + INSTANT)
    assert health(SLOT + GRACE + HOUR).ok
    since(SLOT - INSTANT)
    assert health(SLOT + GRACE + HOUR).missed == Missed(slot=SLOT, late=7 * HOUR, more=0)


def test_first_of_several_missed_slots_is_told(declare):
    """With how many more were missed: the newest is still within its grace."""
    ran(started=SLOT - DAY)
    found = health(SLOT + 3 * DAY + HOUR)
    assert found.missed == Missed(slot=SLOT, late=3 * DAY + HOUR, more=2)
    assert found.next_slot == SLOT + 4 * DAY


def test_slot_that_was_done_by_a_run_that_is_no_longer_kept_is_done(declare):
    """The slot stays when its run is pruned."""
    ran(started=SLOT - DAY)
    Slot.objects.create(job="expire_trials", at=SLOT)
    assert health(SLOT + GRACE + HOUR).ok


def test_as_of_of_the_past_does_not_hide_what_was_done_before(declare):
    """The newest success covers less than the one before it: that one still counts."""
    ran(started=SLOT)
    ran(started=SLOT + HOUR, covers=SLOT - 30 * DAY)
    assert health(SLOT + GRACE + HOUR).ok


def test_time_to_come_is_not_believed(declare):
    """A run that says that it covered next month did so by a clock that was wrong."""
    ran(started=SLOT - DAY, covers=SLOT + 40 * DAY)
    assert health(SLOT + GRACE).ok
    Run.objects.update(covers=None, started=SLOT + 40 * DAY)
    assert (health(SLOT + HOUR).missed, health(SLOT + DAY + HOUR).waiting) == (None, None)


@pytest.mark.parametrize(
    ("values", "failed"),
    [
        ({"status": "FAILED"}, "FAILED"),
        ({"status": "LOST"}, "LOST"),
        ({"status": "REFUSED"}, "REFUSED"),
        ({"status": "STOPPED"}, None),
        ({"status": "SKIPPED"}, None),
        ({"status": "RUNNING"}, None),
        ({"status": "RUNNING", "heartbeat": SLOT + MINUTE}, "LOST"),
        ({"status": "FAILED", "started": SLOT - MINUTE, "slot": SLOT}, "FAILED"),
        ({"status": "FAILED", "started": SLOT - MINUTE}, "FAILED"),
        ({"status": "FAILED", "undoes": True}, None),
    ],
)
def test_bad_end_is_told_at_once(declare, values, failed):
    """A failure, a loss and a refusal, before and after the slot; what will go on is left alone."""
    first = ran(started=SLOT - DAY)
    undoes = {"undoes": first} if values.get("undoes") else {}
    run = ran(**{"started": SLOT + MINUTE, **values, **undoes})
    found = health(SLOT + HOUR)
    assert (found.ok, found.missed) == (failed is None, None)
    told = found.failed and (found.failed.run, found.failed.status)
    assert told == (failed and (run.pk, failed))


@pytest.mark.parametrize(
    ("values", "settled"),
    [
        ({}, True),
        ({"started": SLOT - 2 * MINUTE, "finished": SLOT + HOUR}, True),  # it ended later
        ({"status": "RUNNING"}, False),
        ({"status": "STOPPED"}, False),
        ({"status": "SKIPPED"}, False),
        ({"undoes": True}, False),
        ({"job": "another"}, False),
        ({"started": SLOT - HOUR}, False),  # it ended before
        ({"covers": SLOT - DAY}, False),  # an --as-of of the past
        ({"covers": SLOT - DAY, "slot": SLOT}, True),  # of the very slot
        ({"covers": SLOT}, True),
    ],
)
@pytest.mark.parametrize("cron", ["17 4 * * *", None])
@pytest.mark.parametrize("bad", ["FAILED", "LOST", "REFUSED"])
def test_bad_end_is_over_when_something_succeeded(declare, bad, cron, values, settled):
    """Something that came later and covers it; with a schedule or without, days later too."""
    declare(replace(JOB, cron=cron))
    first = ran(started=SLOT - 2 * DAY)
    failed = ran(bad, SLOT, slot=SLOT)
    undoes = {"undoes": first} if values.get("undoes") else {}
    ran(**{"started": SLOT + 2 * MINUTE, **values, **undoes})
    found = health(SLOT + HOUR).failed
    assert (found and found.run) == (None if settled else failed.pk)


def test_bad_end_behind_one_that_was_made_good_is_told(declare):
    """What failed for a time long ago is made good; the slot before it still is not."""
    ran(started=SLOT - DAY)
    failed = ran("FAILED", SLOT, slot=SLOT)
    ran("FAILED", SLOT + 2 * MINUTE, covers=SLOT - 30 * DAY)
    ran(started=SLOT + 4 * MINUTE, covers=SLOT - 30 * DAY)
    assert health(SLOT + HOUR).failed.run == failed.pk


@pytest.mark.parametrize("between", ["STOPPED", "SKIPPED", "as of the past"])
def test_what_lies_behind_many_runs_is_found(declare, monkeypatch, between):
    """The newest runs that say nothing hide neither a bad end nor what was done."""
    monkeypatch.setattr(outcomes, "LOOK", 3)
    values = {"status": between} if between.isupper() else {"covers": SLOT - 30 * DAY}
    ran(started=SLOT)
    for minutes in range(1, 5):
        ran(**{"started": SLOT + minutes * MINUTE, **values})
    assert health(SLOT + DAY - MINUTE).ok
    Run.objects.all().delete()
    ran(started=SLOT - 3 * HOUR)
    failed = ran("FAILED", SLOT - HOUR)
    for minutes in range(1, 5):
        ran(**{"started": SLOT + minutes * MINUTE, **values})
    assert health(SLOT + HOUR).failed.run == failed.pk


def test_job_that_only_the_ledger_knows_is_told_where_it_is_not_well(declare):
    """Until it succeeds: then nothing is said of it, for there may be hundreds."""
    ran(started=SLOT)
    ran(started=SLOT, job="once")
    ran("FAILED", SLOT, job="import_prices")
    first, second = check(SLOT + HOUR)
    assert (first.job, first.ok) == ("expire_trials", True)
    assert (second.job, second.ok, second.failed.status) == ("import_prices", False, "FAILED")
    ran(started=SLOT + 2 * MINUTE, job="import_prices")
    assert [found.job for found in check(SLOT + HOUR)] == ["expire_trials"]


def test_stopped_run_without_a_schedule_is_told_when_nobody_goes_on(declare):
    """After the grace; with a schedule the slot is missed then, and a run under way goes on."""
    declare(Job(name="expire_trials"))
    ran(started=SLOT - DAY)
    stopped = ran("STOPPED", SLOT)
    over = SLOT + MINUTE + GRACE
    assert health(over).ok
    assert health(over + INSTANT).stopped.run == stopped.pk
    alive = ran("RUNNING", SLOT + HOUR)
    assert health(over + INSTANT).stopped is None
    alive.delete()
    declare(JOB)
    found = health(over + INSTANT)
    assert (found.stopped, found.missed.slot) == (None, SLOT)


@pytest.mark.parametrize(
    ("created", "age"),
    [
        (SLOT - TRIAL - INSTANT, GRACE + HOUR + INSTANT),  # due at the slot: it should be done
        (SLOT - TRIAL - DAY, GRACE + HOUR + DAY),
        (SLOT - TRIAL, None),  # due just after it: the next slot's
        (SLOT - TRIAL + HOUR, None),
    ],
)
def test_row_is_overdue_after_its_slot_and_the_grace(declare, created, age):
    """Whatever the ledger says: the slot was done, and left it."""
    declare(JOB, registered=(EXPIRE_TRIALS,))
    ran(started=SLOT)
    account = AccountFactory(created=created)
    AccountFactory(created=SLOT - TRIAL * 2, status=Account.ACTIVE)
    now = SLOT + GRACE + HOUR
    expected = (
        None
        if age is None
        else Overdue(model="account", pk=account.pk, due_since=created + TRIAL, age=age)
    )
    assert health(now).overdue == expected
    assert health(SLOT + GRACE).overdue is None  # not yet over


def test_oldest_of_the_overdue_rows_is_told(declare):
    """By its time, not by its key."""
    declare(JOB, registered=(EXPIRE_TRIALS,))
    ages = (DAY, 3 * DAY, 2 * DAY)
    accounts = [AccountFactory(created=SLOT - TRIAL - age) for age in ages]
    assert health(SLOT + GRACE + HOUR).overdue.pk == accounts[1].pk


def test_rows_of_a_job_without_a_schedule_have_the_grace_alone(declare):
    """It has no slots to miss: only its rows are looked at."""
    declare(registered=(EXPIRE_TRIALS,))
    account = AccountFactory(created=SLOT - TRIAL)
    over = SLOT + GRACE  # of a job that is not declared, six hours
    assert health(over).ok
    late = health(over + 2 * INSTANT)
    assert (late.missed, late.failed, late.next_slot) == (None, None, None)
    assert late.overdue == Overdue(
        model="account", pk=account.pk, due_since=SLOT, age=GRACE + 2 * INSTANT
    )


def test_rows_that_were_due_before_the_ledger_wait_for_its_first_slot(declare):
    """On the day of the installation nothing is late."""
    declare(JOB, registered=(EXPIRE_TRIALS,))
    AccountFactory(created=SLOT - TRIAL * 3)
    since(SLOT - DAY + INSTANT)
    assert health(SLOT + GRACE).ok
    assert health(SLOT + GRACE + INSTANT).overdue is not None


@pytest.mark.engines("sqlite", "postgresql")  # the other engines have no partial index
def test_check_costs_one_look_at_an_index(declare):
    """No row is counted and no table is read: the index holds the oldest first."""
    declare(JOB, registered=(EXPIRE_TRIALS,))
    AccountFactory.create_batch(3, created=SLOT - TRIAL * 2)
    with CaptureQueriesContext(connection) as seen:
        assert health(SLOT + GRACE + HOUR).overdue
    looks = [query["sql"] for query in seen if "accounts_account" in query["sql"]]
    assert (len(seen), len(looks), "LIMIT 1" in looks[0]) == (QUERIES, 1, True)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[connection.vendor]
        cursor.execute(f"{plan} {looks[0]}")
        told = str(cursor.fetchall())
    assert "accounts_account_trialing" in told
    assert ("Sort" in told, "TEMP B-TREE" in told) == (False, False)


def test_jobs_are_those_of_the_file_the_apps_and_the_ledger(declare):
    """In this order, with the next slot and the last run that was no undo."""
    declare(JOB, Job(name="tidy"), registered=(EXPIRE_TRIALS, replace(EXPIRE_TRIALS, job="move")))
    last = ran(started=SLOT - DAY)
    ran(started=SLOT, undoes=last)
    ran("FAILED", SLOT, job="old")
    found = jobs(SLOT)
    assert [
        (one.job, one.declared, one.next_slot, one.last and one.last.status) for one in found
    ] == [
        ("expire_trials", True, SLOT + DAY, "SUCCEEDED"),
        ("tidy", True, None, None),
        ("move", False, None, None),
        ("old", False, None, "FAILED"),
    ]
    assert found[0].last.run == last.pk


def test_due_now_and_next_slot_are_of_the_job(declare):
    """A job that registers nothing has no rows to count, one without a schedule no slot."""
    declare(JOB, Job(name="tidy"), registered=(EXPIRE_TRIALS,))
    AccountFactory.create_batch(2, created=SLOT - TRIAL - INSTANT)
    assert (due_now("expire_trials", SLOT), due_now("expire_trials", SLOT - DAY)) == (2, 0)
    assert due_now("tidy", SLOT) is None
    assert (next_slot("expire_trials", SLOT), next_slot("tidy", SLOT)) == (SLOT + DAY, None)
