"""Who may run now: leases, runs that were taken for lost and wake up, slots on odd days."""

import dataclasses
import datetime

import pytest
from django.utils import timezone

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.config import Job
from django_runbook.jobs.batches import run_transition
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import FailedError, SkippedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.slots import SlotTakenError
from django_runbook.jobs.models import Batch, Lease, Run, Slot, Status
from django_runbook.schedule import slots
from tests.ops.jobs import books
from tests.ops.jobs.books import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.engines("sqlite", "postgresql")]


@pytest.fixture
def alone(five, monkeypatch):
    """Let the job skip a start beside another, with five accounts that are due."""
    declared = run_transition.declared_job
    monkeypatch.setattr(
        run_transition,
        "declared_job",
        lambda name: dataclasses.replace(declared(name), overlap="skip"),
    )


def after_the_first_batch(act):
    """Return what does this once, when the first batch is committed."""
    acts = iter([act])
    return lambda _batch: next(acts, lambda: None)()


def set_back():
    """Let the staff set all back: it would be due again."""
    Account.objects.filter(status=Account.TRIAL_EXPIRED).update(status=Account.TRIALING)


def test_run_that_was_taken_for_lost_changes_nothing_more(five):
    """It wakes up behind the one that took its place and its slot: its next batch is undone."""
    results = []

    def sleep():
        books.let_time_pass()
        results.append(expire_trials(now=NOW, order=Order(slot=NOW)))
        set_back()

    with pytest.raises(FailedError) as failed:
        expire_trials(now=NOW, order=Order(slot=NOW), watch=after_the_first_batch(sleep))
    first, second = Run.objects.order_by("pk")
    said = (
        f"expire_trials: run {first.pk} was taken for lost; another goes on. 3 changed row(s) stay"
    )
    assert str(failed.value).startswith(said)
    assert (first.status, first.changed, first.batches) == (Status.LOST, 3, 1)
    assert (second.status, second.changed, second.continues) == (Status.SUCCEEDED, 2, first)
    assert (results[0].run, Slot.objects.get().run_id) == (second.pk, second.pk)
    assert books.statuses() == {"ACTIVE": 2, "TRIALING": 7}
    assert books.unbalanced() == []


def test_job_that_does_not_overlap_runs_alone(alone):
    """The second to come is left out, with nothing changed, and finds the lease free afterwards."""
    left_out = []

    def another():
        with pytest.raises(SkippedError) as skipped:
            expire_trials(now=NOW)
        left_out.append(str(skipped.value))

    first = expire_trials(now=NOW, watch=after_the_first_batch(another))
    assert left_out == [
        (
            f'expire_trials: run {first.run} (@) is under way, and overlap is "skip"; nothing was '
            "changed."
        )
    ]
    assert (first.status, first.expired) == (Status.SUCCEEDED, 5)
    assert Run.objects.latest("pk").status == Status.SKIPPED
    assert not Lease.objects.exists()
    assert expire_trials(now=NOW).status == Status.SUCCEEDED
    assert books.complaints() == []


def test_lease_that_has_run_out_is_taken_and_its_old_holder_fenced(alone):
    """Though the old holder's heart still beats: its next batch is undone, and it is lost."""

    def oversleep():
        Lease.objects.update(expires=Now() - datetime.timedelta(seconds=1))
        assert expire_trials(now=NOW).expired == 2
        set_back()

    with pytest.raises(FailedError) as failed:
        expire_trials(now=NOW, watch=after_the_first_batch(oversleep))
    first = Run.objects.earliest("pk")
    said = (
        f"expire_trials: run {first.pk} has lost its lease; another goes on. 3 changed row(s) stay"
    )
    assert str(failed.value).startswith(said)
    assert (first.status, first.changed) == (Status.LOST, 3)
    assert books.statuses() == {"ACTIVE": 2, "TRIALING": 7}
    assert books.unbalanced() == []


def test_old_holder_does_not_give_back_the_lease_of_another(alone):
    """It closes its own run, and leaves the new holder's lease."""
    job = run_transition.declared_job("expire_trials")
    old = runs.open_run(job, Order())
    Lease.objects.update(expires=Now() - datetime.timedelta(seconds=1))
    new = runs.open_run(job, Order())
    runs.close(old, Status.FAILED)
    assert Lease.objects.get().token == new.token


def test_each_batch_renews_the_lease_by_the_clock_of_the_database(alone):
    """Two minutes from the last batch on."""
    ends = []

    def look():
        Lease.objects.update(expires=Now() + datetime.timedelta(seconds=1))
        ends.append(lambda: Lease.objects.get().expires)

    def second(_batch):
        if ends:
            left = ends[0]() - timezone.now()
            assert datetime.timedelta(seconds=100) < left < datetime.timedelta(seconds=125)
        look()

    assert expire_trials(now=NOW, watch=second).batches == 2
    assert ends


def test_clock_that_is_set_back_harms_nothing(five):
    """An earlier time has an earlier cutoff: nothing is due, nothing is put back, no slot twice."""
    job = Job(name="expire_trials", cron="17 4 * * *")
    before = NOW - books.DAY * 2
    for now in (before, NOW):
        expire_trials(now=now, order=Order(slot=slots.latest(job, now)))
    assert Run.objects.latest("pk").changed == 5
    with pytest.raises(SlotTakenError):
        expire_trials(now=before, order=Order(slot=slots.latest(job, before)))
    again = expire_trials(now=before)
    assert (again.status, again.due, again.expired) == (Status.SUCCEEDED, 0, 0)
    assert Batch.objects.count() == 2
    assert books.facts() == {"complaints": [], "statuses": books.FIVE_DONE, "changes": 5}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "first", "days", "done"),
    [
        (  # 02:30 is swallowed on 29 March, and is there twice on 25 October
            Job(name="night", cron="30 2 * * *", timezone="Europe/Berlin"),
            "2026-03-28T00:00Z",
            3,
            ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
        ),
        (
            Job(name="night", cron="30 2 * * *", timezone="Europe/Berlin"),
            "2026-10-24T00:00Z",
            3,
            ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"],
        ),
        (
            Job(name="leap", cron="0 0 29 2 *"),
            "2024-02-28T00:00Z",
            3,
            ["2024-02-29T00:00Z"],
        ),
    ],
    ids=["spring", "autumn", "leap day"],
)
def test_two_schedulers_do_each_slot_once_on_odd_days(job, first, days, done):
    """Both look every two hours, and claim the newest slot: each is done by one of them."""
    start = datetime.datetime.fromisoformat(first)
    taken = 0
    for look in range(days * 12):
        now = start + datetime.timedelta(hours=2 * look)
        slot = slots.latest(job, now)
        if slot is None or slot < start:
            continue
        for _ in range(2):
            try:
                runs.close(runs.open_run(job, Order(slot=slot)), Status.SUCCEEDED)
            except SlotTakenError:
                taken += 1
    at = Run.objects.order_by("pk").values_list("slot", flat=True)
    assert [f"{slot:%Y-%m-%dT%H:%MZ}" for slot in at] == done
    assert taken > 20
