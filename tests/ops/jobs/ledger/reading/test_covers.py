"""Up to when a run did what there was to do: an `--as-of` of the past is none for the schedule."""

import datetime

import pytest

from accounts.services import expire_trials
from django_runbook.config import Job
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.watch.status import check
from tests.factories import AccountFactory
from tests.ops.jobs.past_runs import DAY, HOUR, ran, since

pytestmark = [pytest.mark.django_db, pytest.mark.engines("sqlite", "postgresql")]


@pytest.fixture(name="now")
def now_fixture(declare):
    """Return a time of the last two hours, a minute after a slot of a job that is hourly."""
    now = (database_now() - HOUR).replace(minute=18, second=0, microsecond=0)
    declare(Job(name="expire_trials", cron="17 * * * *", grace_hours=2, safety_hours=None))
    since(now - DAY)
    return now


def missed() -> bool:
    """Tell whether the job has missed a slot."""
    (health,) = check(database_now())
    return health.missed is not None


def test_run_as_of_the_past_covers_no_later_slot(now):
    """It succeeded just now, and yet the slots of the last hours are missed."""
    expire_trials(now=database_now(), as_of=now - 20 * HOUR)
    assert Run.objects.get().covers == now - 20 * HOUR
    assert missed()
    expire_trials(now=database_now())
    assert Run.objects.latest("pk").covers is None
    assert not missed()


def test_run_that_goes_on_covers_what_the_first_was_for(now):
    """The cutoff is the old one, and so is what is done by it."""
    AccountFactory(created=now - 300 * DAY)
    Run.objects.create(
        job="expire_trials",
        status=Status.STOPPED,
        started=now - 9 * HOUR,
        due=1,
        parameters={
            "as_of": (now - 9 * HOUR).isoformat(),
            "cutoff": (now - 9 * HOUR - 61 * DAY).isoformat(),
        },
    )
    done = expire_trials(now=database_now())
    assert (done.status, done.expired) == ("SUCCEEDED", 1)
    assert Run.objects.get(pk=done.run).covers == now - 9 * HOUR
    assert missed()


@pytest.mark.parametrize("ahead", [datetime.timedelta(), 40 * DAY])
def test_what_a_wrong_clock_wrote_makes_no_slot_look_done(now, ahead):
    """Neither a slot of the future, nor an ``as_of``; only the start counts, by the database."""
    ran(started=now - 20 * HOUR, slot=now + ahead, covers=now + ahead)
    (runs,) = outcomes.newest_of(["expire_trials"]).values()
    assert outcomes.done_until(runs, now) == now - 20 * HOUR
    assert missed()
