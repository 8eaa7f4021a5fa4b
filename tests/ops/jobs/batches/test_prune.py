"""The ledger forgets what is old, in small transactions, wherever it is stopped."""

import datetime
import itertools

import pytest
from django.db import connection, transaction

from accounts.services import expire_trials
from django_runbook.jobs.batches import prune
from django_runbook.jobs.batches.prune import Removal, preview_prune, prune_runs
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.models import Batch, Run, Slot, Status
from tests.ops.jobs import books
from tests.ops.jobs.past_runs import DAY, HOUR, ran

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 3, 1, 4, 17, tzinfo=datetime.UTC)
BEFORE = NOW - 30 * DAY


@pytest.fixture
def years():
    """Let a job have run for a hundred nights, each with two batches; the last thirty are young."""
    for night in range(100, 0, -1):
        slot = NOW - night * DAY
        run = ran(slot=slot, started=slot, due=4, changed=4, batches=2, model="accounts.account")
        for number in (1, 2):
            Batch.objects.create(run=run, number=number, changed=2, ids=[night, number])
    return list(Run.objects.order_by("pk").values_list("pk", flat=True))


@pytest.fixture
def small(monkeypatch):
    """Let a transaction take seven runs, or batches, at the most."""
    monkeypatch.setattr("django_runbook.jobs.batches.loop.FIRST_SIZE", 7)
    monkeypatch.setattr("django_runbook.jobs.batches.loop.LARGEST_SIZE", 7)
    monkeypatch.setattr("django_runbook.jobs.batches.loop.LARGEST_PORTABLE", 7)


@pytest.mark.slow
def test_old_runs_go_and_young_ones_stay(years, small):
    """All that ended before, in order, with their batches; their slots are not done again."""
    seen = []
    done = prune_runs(BEFORE, watch=seen.append)
    assert (done.status, done.removed, done.batches, done.reason) == ("SUCCEEDED", 70, 140, "")
    assert done.removal == Removal(before=BEFORE, due=70)
    run = Run.objects.get(pk=done.run)
    assert (run.job, run.due, run.changed, run.batches) == ("prune_runs", 70, 70, 10)
    assert [(each.size, each.changed, each.total, each.due) for each in seen] == [
        (7, 7, 7 * number, 70) for number in range(1, 11)
    ]
    stay = Run.objects.exclude(pk=run.pk).order_by("pk")
    assert list(stay.values_list("pk", flat=True)) == years[70:]
    assert Batch.objects.count() == 60
    assert (Slot.objects.filter(run=None).count(), Slot.objects.count()) == (70, 100)
    again = prune_runs(BEFORE)
    assert (again.status, again.removed, again.batches) == ("SUCCEEDED", 0, 0)


def test_preview_writes_nothing(years, django_assert_max_num_queries):
    """It says the same, in a few queries, however long the past is."""
    with django_assert_max_num_queries(40):
        assert preview_prune(BEFORE) == Removal(before=BEFORE, due=70)
    assert (Run.objects.count(), Batch.objects.count()) == (100, 200)


@pytest.mark.slow
def test_what_jobs_are_judged_by_stays_without_its_batches(years):
    """It says how the job is, and can no longer be undone: later batches may be gone."""
    done = prune_runs(NOW + DAY)
    newest = Run.objects.exclude(pk=done.run).order_by("-pk")
    assert [run.pk for run in newest] == years[:-11:-1]
    assert (done.removal.due, done.removal.needed, done.removed) == (90, 10, 90)
    assert (done.batches, Batch.objects.count()) == (200, 0)


def test_run_that_has_lost_its_batches_is_not_undone():
    """Whoever is too late is told; nothing is put back."""
    books.open_accounts(3)
    run = Run.objects.get(pk=expire_trials(now=books.NOW).run)
    prune_runs(database_now() + HOUR)
    assert (run.changed, run.batch_set.count()) == (3, 0)
    with pytest.raises(RefusedError):
        undo_run(run.pk)
    assert books.statuses() == {"TRIAL_EXPIRED": 3}


@pytest.mark.slow
def test_stop_is_looked_at_between_two_transactions(years, small):
    """What was removed stays removed, and the next run goes on."""
    stop = Stop()
    done = prune_runs(BEFORE, stop=stop, watch=lambda _batch: stop.ask("SIGTERM"))
    assert (done.status, done.reason, done.removed) == ("STOPPED", "SIGTERM", 7)
    assert done.batches == 140
    again = prune_runs(BEFORE)
    assert (again.status, again.removed, again.batches) == ("SUCCEEDED", 63, 0)


@pytest.mark.slow
@pytest.mark.parametrize("after", range(20))
def test_wherever_it_ends_no_undo_misses_a_later_batch(years, small, monkeypatch, after):
    """A run that has all its batches finds all later ones: those of older runs go first."""
    undone = Run.objects.get(pk=years[3])
    undo = ran(started=NOW - 90 * DAY, undoes=undone, changed=4, batches=1)
    Batch.objects.create(run=undo, number=1, changed=4, ids=[1, 2, 3, 4])
    whole = dict(
        Run.objects.filter(pk__in=Batch.objects.values("run")).values_list("pk", "batches")
    )
    commit, left = prune._Pruning._commit, itertools.count(after, -1)

    class Killed(BaseException):
        pass

    def killed(self, *arguments, **options):
        if next(left) == 0:
            raise Killed
        return commit(self, *arguments, **options)

    monkeypatch.setattr(prune._Pruning, "_commit", killed)
    with pytest.raises(Killed):
        prune_runs(BEFORE)
    roots = Run.objects.filter(pk__in=whole, undoes=None).order_by("pk")
    complete = [run.pk for run in roots if run.batch_set.count() == whole[run.pk]]
    oldest = complete[0]
    assert complete == [pk for pk in years if pk >= oldest]
    if oldest <= undone.pk:
        assert undo.batch_set.count() == 1


@pytest.mark.slow
def test_run_that_is_being_undone_since_it_was_looked_for_stays(years, small, monkeypatch):
    """Each transaction locks its runs and looks once more."""
    begin = prune._Pruning.remove_batches

    def undone_meanwhile(self, **options):
        Run.objects.update_or_create(
            pk=999_999,
            defaults={"job": "expire_trials", "undoes_id": years[2], "model": "accounts.account"},
        )
        return begin(self, **options)

    monkeypatch.setattr(prune._Pruning, "remove_batches", undone_meanwhile)
    done = prune_runs(BEFORE)
    assert (done.removal.due, done.removed) == (70, 69)
    assert Run.objects.get(pk=years[2]).batch_set.count() == 2


def test_its_own_old_runs_go_too():
    """But for the newest ones, by which it is judged."""
    weeks = [
        ran(job="prune_runs", started=NOW - week * 7 * DAY, due=0).pk for week in range(15, 0, -1)
    ]
    done = prune_runs(NOW)
    kept = Run.objects.order_by("pk").values_list("pk", flat=True)
    assert (done.removed, list(kept)) == (5, [*weeks[5:], done.run])


@pytest.mark.engines("postgresql")
def test_it_waits_for_nobody_who_works(transactional_db, session):
    """A run that is under way, and its lock on its own row, hold nothing up."""
    old, busy = ran(started=NOW - 99 * DAY), Run.objects.create(job="expire_trials")
    for _ in range(10):
        ran(started=NOW)
    other = session()
    with other.transaction():
        other.execute("SELECT 1 FROM runbook_jobs_run WHERE id = %s FOR UPDATE", [busy.pk])
        assert prune_runs(BEFORE).removed == 1
    assert not Run.objects.filter(pk=old.pk).exists()


@pytest.mark.slow
def test_transactions_are_small(transactional_db, years, small):
    """None removes more than it was told."""
    sizes = []
    depth = []

    def count(execute, sql, parameters, many, context):
        if sql.startswith("DELETE") and "runbook_jobs_run" in sql and connection.in_atomic_block:
            depth.append(sql)
        return execute(sql, parameters, many, context)

    def note(batch):
        sizes.append(batch.changed)
        assert not transaction.get_connection().in_atomic_block

    with connection.execute_wrapper(count):
        prune_runs(BEFORE, watch=note)
    assert (max(sizes), len(sizes), bool(depth)) == (7, 10, True)
    assert not Run.objects.filter(status=Status.RUNNING).exists()
