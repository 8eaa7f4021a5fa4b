"""The run around a command: used for the same job alone, once, and while it runs."""

import datetime
import json
import uuid

import pytest

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from django_runbook.config import Job
from django_runbook.jobs import run_transition
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.recording import around
from django_runbook.jobs.ledger.recording.recording import recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Lease, Run, Slot, Status
from tests.ops.jobs.books import DAY, NOW

pytestmark = pytest.mark.django_db
JOB = Job(name="expire_trials")


def opened(job="expire_trials", **order) -> Run:
    """Return the run that ``run_job`` opens for a command."""
    return runs.open_run(Job(name=job), Order(**order))


def expire(outer: Run | str, now: datetime.datetime = NOW, **order):
    """Expire the trials in a process whose environment names a run."""
    value = outer if isinstance(outer, str) else around.environment(outer)[around.INSIDE]
    return run_transition(EXPIRE_TRIALS, now=now, order=Order(inside=value, **order))


def test_run_of_the_same_job_is_used_with_its_slot_and_its_allowance(five):
    """One run, one row: the command fills in what the one around it could not know."""
    outer = opened(slot=NOW, allow=5, reason="moved by hand")
    done = expire(outer)
    assert (done.run, done.changed, done.warnings) == (outer.pk, 5, ())
    run = Run.objects.get()
    kept = (run.status, run.slot, run.allow, run.allow_reason, run.model)
    assert kept == (Status.RUNNING, NOW, 5, "moved by hand", "accounts.account")
    assert Slot.objects.get().run == run


def test_allowance_of_its_own_comes_first(five):
    """What the command itself was given is what the ledger keeps."""
    outer = opened(allow=1, reason="of run_job")
    expire(outer, allow=5, reason="of the command")
    run = Run.objects.get()
    assert (run.pk, run.allow, run.allow_reason) == (outer.pk, 5, "of the command")


def test_run_of_another_job_is_left_alone(five):
    """A command that calls two jobs: each has a run of its own, and undo puts its own rows back."""
    outer = opened("nightly")
    done = expire(outer)
    assert (done.run != outer.pk, done.changed, done.warnings) == (True, 5, ())
    outer.refresh_from_db()
    assert (outer.change, outer.changed, outer.model) == ({}, 0, "")
    Run.objects.filter(pk=done.run).update(status=Status.SUCCEEDED)
    assert undo_run(done.run).restored == 5
    assert not Account.objects.filter(status="TRIAL_EXPIRED").exists()


def test_run_with_a_change_is_left_alone(five):
    """A command that does the same job twice: the second time is a run of its own."""
    lone = Job(name="expire_trials", overlap="skip")
    outer = runs.open_run(lone, Order(slot=NOW))
    first, second = expire(outer), expire(outer)
    assert (first.run, first.changed) == (outer.pk, 5)
    assert (second.run != outer.pk, second.changed, second.status) == (True, 0, "SUCCEEDED")
    assert Run.objects.get(pk=second.run).slot is None
    assert (Slot.objects.get().run_id, Lease.objects.get().run_id) == (outer.pk, outer.pk)


def test_second_run_of_a_job_that_runs_alone_has_no_wait(five):
    """The lease is the outer run's: whoever waited for its end would wait for ever."""
    lone = Job(name="expire_trials", overlap="wait")
    outer = runs.open_run(lone, Order())
    order = Order(inside=around.environment(outer)[around.INSIDE])
    for status in (Status.RUNNING, Status.SUCCEEDED):
        with recorded(lone, order, model="accounts.account") as recording:
            pass
        assert Run.objects.get(pk=recording.run.pk).status == status


def test_of_two_that_come_at_once_one_gets_it(five):
    """The ledger decides, in one statement."""
    outer = opened()
    values = {"model": "accounts.account"}
    assert around.adopt(Run.objects.get(pk=outer.pk), Order(), values)
    assert not around.adopt(Run.objects.get(pk=outer.pk), Order(), values)


@pytest.mark.parametrize("status", [one for one in Status if one != Status.RUNNING])
def test_run_that_has_ended_is_left_alone(five, status):
    """A variable that was left in the environment: a run of its own, and a line about it."""
    outer = opened()
    runs.close(outer, status)
    done = expire(outer)
    assert done.run != outer.pk
    assert done.warnings == (
        f"expire_trials has a run of its own: run {outer.pk}, which RUNBOOK_RUN names, has ended.",
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("abc", "RUNBOOK_RUN is 'abc', which names no run"),
        ("12", "RUNBOOK_RUN is '12', which names no run"),
        ("1:\x1b[31m" + "x" * 99, rf"RUNBOOK_RUN is '1:\x1b[31m{'x' * 47}...', which names no run"),
        (f"7:{uuid.UUID(int=7)}", "the ledger has no such run 7 (RUNBOOK_RUN)"),
    ],
)
def test_value_that_names_no_run_of_this_ledger_is_told(five, value, why):
    """Malformed, or another database's: its number may be anybody's here."""
    opened("nightly")
    done = expire(value)
    assert (done.changed, done.status) == (5, "SUCCEEDED")
    assert done.warnings == (f"expire_trials has a run of its own: {why}.",)


def test_night_after_a_stopped_one_has_a_cutoff_of_its_own(five):
    """Each slot is another: what was left of the earlier is due under the later one as well."""
    stopped = opened(slot=NOW - DAY)
    expire(stopped, NOW - DAY)
    runs.close(stopped, Status.STOPPED, "SIGTERM")
    later = expire(opened(slot=NOW))
    assert (later.continues, later.as_of) == (None, NOW)


def test_nights_of_a_command_that_calls_jobs_do_not_repeat_an_old_cutoff(five):
    """A run that was stopped is gone on with once; the night after has a cutoff of its own."""
    first = run_transition(EXPIRE_TRIALS, now=NOW - DAY)
    Run.objects.update(status=Status.STOPPED, reason="SIGTERM")
    second, third = (expire(opened("nightly"), NOW + DAY * night) for night in (0, 1))
    assert (second.continues, second.cutoff) == (first.run, first.cutoff)
    assert (third.continues, third.as_of) == (None, NOW + DAY)


@pytest.mark.slow
def test_command_that_calls_two_jobs_is_undone_job_by_job(nights, database_url):
    """Real processes: the users of the one job and the accounts of the other are never mixed up."""
    nights("create_sample_accounts", "--count=40", DATABASE_URL=database_url)
    early = (
        "from nights.jobs import users; from accounts.models import Account\n"
        "users().update(date_joined='2020-01-01T00:00Z')\n"
        "Account.objects.update(status='TRIALING', created='2020-01-01T00:00Z')"
    )
    count = (
        "from nights.jobs import users; from accounts.models import Account\n"
        "print(users().filter(is_active=True).count(), "
        "Account.objects.filter(status='TRIALING').count())"
    )

    def shell(text: str) -> str:
        return nights("shell", "--no-imports", "-c", text, DATABASE_URL=database_url).out

    shell(early)
    assert shell(count) == "40 40\n"
    done = nights("run_job", "nightly", DATABASE_URL=database_url)
    assert (done.code, shell(count)) == (0, "0 0\n"), done
    history = nights("job_history", "--json", DATABASE_URL=database_url)
    runs_of = {run["job"]: run["run"] for run in json.loads(history.out)}
    assert set(runs_of) == {"nightly", "rest_users", "expire_trials"}
    refused = nights("undo_run", str(runs_of["nightly"]), DATABASE_URL=database_url)
    assert (refused.code, shell(count)) == (3, "0 0\n")
    nights("undo_run", str(runs_of["expire_trials"]), DATABASE_URL=database_url)
    assert shell(count) == "0 40\n"
    nights("undo_run", str(runs_of["rest_users"]), DATABASE_URL=database_url)
    assert shell(count) == "40 40\n"


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_variable_that_is_nonsense_is_one_line(nights, database_url):
    """Not a traceback: the command does its work, and says what it made of it."""
    done = nights("expire_trials", DATABASE_URL=database_url, RUNBOOK_RUN="abc")
    assert done.code == 0
    assert done.err == (
        "expire_trials has a run of its own: RUNBOOK_RUN is 'abc', which names no run.\n"
    )
