"""What the ledger may forget: nothing that a person, a run or an undo still stands on."""

import itertools

import pytest

from django_runbook.jobs.ledger import retention
from django_runbook.jobs.models import Batch, Run, Slot
from tests.ops.jobs import past_runs
from tests.ops.jobs.past_runs import DAY, HOUR, MINUTE, SLOT, since

pytestmark = pytest.mark.django_db

BEFORE = SLOT + 100 * DAY
YOUNG = BEFORE + DAY
ACCOUNTS, USERS = "accounts.account", "users.user"
NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def _judged(declare):
    """Let the job be judged by young runs alone, so that old ones stand for themselves."""
    since(SLOT)
    for day in range(10):
        past_runs.ran(started=YOUNG + day * DAY, pk=10_000 + day, due=5)


def ran(*status, **values):
    """Return a run that is older than those by which the job is judged."""
    return past_runs.ran(*status, **{"pk": next(NUMBERS), **values})


def moved(started, model=ACCOUNTS, **values):
    """Return a run that changed rows, with a batch of them."""
    done = ran(started=started, changed=2, batches=1, **values)
    Run.objects.filter(pk=done.pk).update(model=model)
    Batch.objects.create(run=done, number=1, changed=2, ids=[1, 2])
    return done


def over():
    """Return the runs that can no longer be undone."""
    return sorted(retention.expired(BEFORE).values_list("pk", flat=True))


def goes(*asked):
    """Return which of some runs may go."""
    return sorted(retention.removable([run.pk for run in asked], BEFORE))


def test_run_goes_so_long_after_its_end():
    """Its end counts, to the microsecond: a run that began long before it can still be undone."""
    old = ran(started=BEFORE - 9 * DAY, finished=BEFORE - MINUTE)
    just = ran(started=BEFORE - 9 * DAY, finished=BEFORE)
    assert (over(), goes(old, just)) == ([old.pk], [old.pk])


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "STOPPED", "REFUSED", "SKIPPED", "LOST"])
def test_how_it_ended_does_not_matter(status):
    """Where later runs of the job have made it good."""
    old = ran(status, SLOT)
    assert goes(old) == [old.pk]


def test_what_runs_stays():
    """Also where its heart has stopped, and nobody has said so."""
    running = ran("RUNNING", SLOT, heartbeat=SLOT)
    assert (over(), goes(running)) == ([], [])


def test_undo_goes_with_its_run():
    """Both or neither: a run without its undo would look as if it could be undone."""
    done = moved(SLOT)
    undo = moved(SLOT + DAY, undoes=done)
    assert goes(done) == [done.pk]
    assert goes(done, undo) == goes(undo, done) == [done.pk, undo.pk]
    Run.objects.filter(pk=undo.pk).update(finished=BEFORE)
    assert goes(done, undo) == []


@pytest.mark.slow
@pytest.mark.parametrize("status", ["STOPPED", "FAILED", "LOST", "RUNNING"])
def test_run_whose_undo_was_cut_short_stays(status):
    """With every later run of its model: their batches say which rows are not to be put back."""
    before = moved(SLOT)
    half = moved(SLOT + DAY)
    undo = ran(status, SLOT + 2 * DAY, undoes=half, model=ACCOUNTS)
    later, other = moved(SLOT + 3 * DAY), moved(SLOT + 3 * DAY, USERS)
    assert over() == [before.pk, other.pk]
    assert goes(before, half, undo, later, other) == [before.pk, other.pk]
    assert retention.half_undone(BEFORE) == ([] if status == "RUNNING" else [half.pk])
    ran("SUCCEEDED", SLOT + 4 * DAY, undoes=half, model=ACCOUNTS)
    if status != "RUNNING":
        assert over() == [before.pk, half.pk, later.pk, other.pk]
        assert retention.half_undone(BEFORE) == []


def test_refused_undo_changed_nothing():
    """It holds nothing up."""
    done = moved(SLOT)
    ran("REFUSED", SLOT + DAY, undoes=done)
    assert goes(done) == [done.pk]


def test_later_batches_of_a_run_that_can_be_undone_stay():
    """A run that took long is young; those that changed its rows meanwhile stay with it."""
    first = moved(SLOT)
    moved(SLOT, finished=BEFORE + HOUR)
    meanwhile, other = moved(SLOT + DAY), moved(SLOT + DAY, USERS)
    assert over() == [first.pk, other.pk]
    assert goes(meanwhile) == []


def test_undo_behind_a_run_that_can_be_undone_stays_with_its_run():
    """And so does every later run of its model, in turn."""
    first, undone, between = moved(SLOT), moved(SLOT), moved(SLOT)
    moved(SLOT, finished=BEFORE + HOUR)
    moved(SLOT + DAY, undoes=undone)
    assert over() == [first.pk]
    assert goes(undone, between) == []


def test_what_a_job_is_judged_by_stays():
    """Its newest runs and successes, of the whole past too, and what its next run continues."""
    ran(started=SLOT, job="tidy")
    plain = ran(started=SLOT + DAY, job="tidy")
    furthest = ran(started=SLOT + 30 * DAY, covers=SLOT + 20 * DAY, job="tidy")
    successes = [
        ran(started=SLOT + day * DAY, covers=SLOT + 2 * DAY, job="tidy") for day in range(31, 43)
    ]
    cut = ran("STOPPED", SLOT + 50 * DAY, job="tidy")
    refused = ran("REFUSED", SLOT + 51 * DAY, job="tidy")
    newest = ran("SKIPPED", SLOT + 52 * DAY, job="tidy")
    kept = [run.pk for run in (plain, furthest, *successes[-10:], cut, refused, newest)]
    assert sorted(retention.needed("tidy")) == kept
    old = Run.objects.filter(job="tidy")
    assert goes(*old) == sorted(set(old.values_list("pk", flat=True)) - set(kept))


def test_failure_that_was_never_made_good_stays():
    """`jobs.status` goes on to say so; once it was, it goes."""
    bad = ran("FAILED", SLOT + DAY, job="tidy")
    for day in range(2, 5):
        ran("STOPPED", SLOT + day * DAY, job="tidy")
    assert bad.pk in retention.needed("tidy")
    ran(started=SLOT + 9 * DAY, job="tidy")
    assert goes(bad) == [bad.pk]


def test_what_the_median_is_of_stays():
    """Of each of the ten last nights the run that found most; neither its helpers nor others."""
    nights = []
    for night in range(14):
        slot = SLOT + night * DAY
        nights.append(ran(slot=slot, started=slot, job="tidy", due=100 + night).pk)
        ran(started=slot + MINUTE, job="tidy", due=3)
    for minute in range(10):
        ran(started=slot + HOUR + minute * MINUTE, job="tidy", due=0)
    newest = Run.objects.filter(job="tidy").order_by("-pk").values_list("pk", flat=True)[:10]
    assert sorted(retention.needed("tidy")) == sorted([*nights[-10:], *newest])


def test_removal_takes_batches_and_slots_with_it():
    """A slot that was done stays, without its run; one that was not is free again."""
    done, failed = ran(slot=SLOT, started=SLOT), ran("FAILED", SLOT, slot=SLOT + DAY)
    skipped = ran("SKIPPED", SLOT, slot=SLOT + 2 * DAY)
    for run in (done, failed, skipped):
        run.failed_rows.create(key=1, error="no")
    undo = ran(started=SLOT, undoes=done)
    again = past_runs.ran(started=YOUNG, continues=failed, pk=20_000)
    removed = retention.remove_runs([done.pk, failed.pk, skipped.pk])
    assert removed == 4
    assert not Run.objects.filter(pk__in=[done.pk, failed.pk, skipped.pk, undo.pk]).exists()
    assert list(Slot.objects.order_by("at").values_list("at", "run")) == [
        (SLOT, None),
        (SLOT + 2 * DAY, None),
    ]
    again.refresh_from_db()
    assert again.continues is None


def test_batches_go_in_the_order_of_their_runs():
    """Of runs, then of their undos: whatever moment it ends at, no undo misses a later batch."""
    first = moved(SLOT)
    undo = moved(SLOT, undoes=first)
    second = moved(SLOT)
    Batch.objects.create(run=first, number=2, changed=1, ids=[3])
    first.failed_rows.create(key=1, error="no")
    left = []
    pks = [second.pk, first.pk]
    while retention.remove_batches(pks, 1):
        left.append(sorted(Batch.objects.values_list("run", "number")))
    assert left == [
        [(first.pk, 2), (undo.pk, 1), (second.pk, 1)],
        [(undo.pk, 1), (second.pk, 1)],
        [(undo.pk, 1)],
        [(undo.pk, 1)],
    ]
    assert retention.remove_batches(pks, 9, undos=True) == 1
    assert retention.remove_batches(pks, 9, undos=True) == 0


def test_pages_are_of_what_is_over():
    """The oldest first, each once, whatever lies between."""
    pks = [ran(started=SLOT if number % 3 else YOUNG).pk for number in range(12)]
    old = [pk for number, pk in enumerate(pks) if number % 3]
    assert list(retention.pages(retention.expired(BEFORE), 3)) == [old[:3], old[3:6], old[6:]]
    assert list(retention.pages(retention.expired(SLOT), 3)) == []
