"""Runs in the ledger: what they write down, what they refuse, what they continue."""

import datetime
import itertools

import pytest
from django.db import connection

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.batches.loop import Progress
from django_runbook.jobs.batches.passes import transition
from django_runbook.jobs.batches.rows import changes, paging
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.slots import SlotTakenError
from django_runbook.jobs.ledger.who import Who, ci_url
from django_runbook.jobs.models import Batch, Run, Slot, Status
from django_runbook.jobs.registry import Change
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 3, 1, 4, 17, tzinfo=datetime.UTC)
LIMIT = datetime.timedelta(days=61)
INSTANT = datetime.timedelta(microseconds=1)
SLOT = datetime.datetime(2026, 3, 1, 4, 17, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def small(monkeypatch):
    """Let a batch take three rows at the most."""
    monkeypatch.setattr("django_runbook.jobs.batches.loop.FIRST_SIZE", 3)
    monkeypatch.setattr("django_runbook.jobs.batches.loop.LARGEST_SIZE", 3)
    monkeypatch.setattr("django_runbook.jobs.batches.loop.LARGEST_PORTABLE", 3)


def overdue(count: int) -> list[int]:
    """Create trials that are over, and return their keys in the order in which they ended."""
    made = [AccountFactory(created=NOW - LIMIT - INSTANT - DAY * age) for age in range(count)]
    return [account.pk for account in reversed(made)]


def stop_after(batches: int) -> tuple[Stop, object]:
    """Return what asks for the end after so many batches."""
    stop, seen = Stop(), []

    def watch(batch: Progress) -> None:
        seen.append(batch)
        if len(seen) == batches:
            stop.ask("SIGTERM")

    return stop, watch


def test_run_writes_down_all_of_it(small):
    """Who, when, with which cutoff, how many were due and changed, and the rows of each batch."""
    keys = overdue(7)
    who = Who(user="me", host="laptop", pid=7, ci_url="https://ci.example/1")
    result = expire_trials(now=NOW, order=Order(who=who))
    run = Run.objects.get()
    assert (run.pk, run.job, run.status, run.slot) == (
        result.run,
        "expire_trials",
        "SUCCEEDED",
        None,
    )
    assert (run.user, run.host, run.pid, run.who) == ("me", "laptop", 7, "https://ci.example/1")
    assert run.parameters == {
        "as_of": "2026-03-01T04:17:00+00:00",
        "cutoff": "2025-12-30T04:17:00+00:00",
    }
    assert run.change == {
        "model": "accounts.account",
        "was": {"status": "TRIALING"},
        "to": {"status": "TRIAL_EXPIRED"},
    }
    assert (run.due, run.changed, run.batches, run.reason) == (7, 7, 3, "")
    assert run.started <= run.heartbeat <= run.finished
    batches = Batch.objects.order_by("number")
    assert [(batch.number, batch.changed, sorted(batch.ids)) for batch in batches] == [
        (1, 3, sorted(keys[:3])),
        (2, 3, sorted(keys[3:6])),
        (3, 1, keys[6:]),
    ]


def test_watch_is_told_of_each_batch(small):
    """The progress has the batch, its rows, and where the run stands."""
    overdue(4)
    seen = []
    expire_trials(now=NOW, watch=seen.append)
    assert [(p.batch, p.size, p.changed, p.total, p.due) for p in seen] == [
        (1, 3, 3, 3, 4),
        (2, 3, 1, 4, 4),
    ]


def test_stopped_run_is_continued_with_its_cutoff(small):
    """What became due since waits for the run after."""
    overdue(5)
    stop, watch = stop_after(1)
    first = expire_trials(now=NOW, stop=stop, watch=watch)
    assert (first.status, first.expired, first.left, first.reason) == ("STOPPED", 3, 2, "SIGTERM")

    later = NOW + DAY
    young = AccountFactory(created=later - LIMIT - INSTANT)
    second = expire_trials(now=later)
    assert (second.status, second.expired, second.left) == ("SUCCEEDED", 2, 0)
    assert (second.as_of, second.cutoff) == (first.as_of, first.cutoff)
    assert second.continues == first.run
    young.refresh_from_db()
    assert young.status == Account.TRIALING

    third = expire_trials(now=later)
    assert (third.expired, third.as_of, third.continues) == (1, later, None)


def test_continuing_takes_what_is_left_of_the_allowance(small, monkeypatch):
    """The scheduler goes on with what a person has allowed, and with no more."""
    monkeypatch.setattr("django_runbook.jobs.batches.limits.FEW", 1)
    overdue(5)
    stop, watch = stop_after(1)
    order = Order(allow=5, reason="the launch")
    expire_trials(now=NOW, order=order, stop=stop, watch=watch)
    second = Run.objects.get(pk=expire_trials(now=NOW).run)
    assert (second.changed, second.allow, second.allow_reason) == (2, 2, "the launch")


def test_a_time_of_ones_own_continues_nothing(small):
    """--as-of means that time."""
    overdue(5)
    stop, watch = stop_after(1)
    expire_trials(now=NOW, stop=stop, watch=watch)
    second = expire_trials(now=NOW + DAY, as_of=NOW + INSTANT)
    assert (second.as_of, second.continues, second.expired) == (NOW + INSTANT, None, 2)


def test_next_slot_starts_anew(small):
    """A later slot's own cutoff covers what the stopped one left."""
    overdue(5)
    stop, watch = stop_after(1)
    expire_trials(now=NOW, order=Order(slot=SLOT), stop=stop, watch=watch)
    second = expire_trials(now=NOW + DAY, order=Order(slot=SLOT + DAY))
    assert (second.as_of, second.continues, second.expired) == (NOW + DAY, None, 2)


def test_rows_left_behind_fail_the_run(monkeypatch):
    """A separate query counts what is still due after the last batch."""
    overdue(2)
    monkeypatch.setattr(
        "django_runbook.jobs.batches.run_transition.transition", lambda *_args, **_kwargs: None
    )
    result = expire_trials(now=NOW)
    assert (result.status, result.expired, result.left) == ("FAILED", 0, 2)
    assert result.reason == "2 rows are still due after the last batch"
    assert Run.objects.get().status == Status.FAILED


def test_refused_run_changes_nothing_and_is_written_down():
    """Too many due: nothing changes; --allow and its reason stand in the ledger."""
    overdue(101)
    with pytest.raises(RefusedError, match=r"101 rows are due, more than 50% of 101 \(max_share\)"):
        expire_trials(now=NOW)
    refused = Run.objects.get()
    assert (refused.status, refused.due, refused.changed) == ("REFUSED", 101, 0)
    assert Account.objects.filter(status=Account.TRIAL_EXPIRED).count() == 0

    result = expire_trials(now=NOW, order=Order(allow=101, reason="the launch two months ago"))
    allowed = Run.objects.get(pk=result.run)
    assert (allowed.changed, allowed.allow, allowed.allow_reason) == (
        101,
        101,
        "the launch two months ago",
    )


@pytest.mark.slow
def test_median_is_of_successful_runs():
    """Failed runs do not count, nor undone ones, nor the undos."""
    night = itertools.count()
    for status, changed in [("SUCCEEDED", 20)] * 3 + [("FAILED", 9_000)] * 9:
        started = NOW - DAY * next(night)
        Run.objects.create(
            job="expire_trials", status=status, due=changed, changed=changed, started=started
        )
    for _ in range(4):
        started = NOW - DAY * next(night)
        mistake = Run.objects.create(
            job="expire_trials", status="SUCCEEDED", due=9_000, changed=9_000, started=started
        )
        Run.objects.create(job="expire_trials", status="SUCCEEDED", due=9, undoes=mistake)
    AccountFactory.create_batch(210)
    overdue(201)
    median = "more than 10 times the median of the last 3 slots or days with rows, 20 "
    with pytest.raises(RefusedError, match=median):
        expire_trials(now=NOW)


def test_slot_is_done_once():
    """The second to come is told who did it; nothing is written."""
    first = expire_trials(now=NOW, order=Order(slot=SLOT, who=Who(user="cron", host="a")))
    with pytest.raises(SlotTakenError) as taken:
        expire_trials(now=NOW, order=Order(slot=SLOT, who=Who(user="me", host="b")))
    assert str(taken.value) == (
        f"expire_trials 2026-03-01T04:17Z: already done by run {first.run} (cron@a, 0 changed)."
    )
    assert Run.objects.count() == 1


def test_slot_in_progress_is_left_alone():
    """A second scheduler does not start beside the first."""
    job = runs.open_run(EXPIRE_TRIALS_JOB, Order(slot=SLOT))
    with pytest.raises(SlotTakenError, match="being done by run"):
        expire_trials(now=NOW, order=Order(slot=SLOT))
    assert Run.objects.get() == job


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "REFUSED", "LOST"])
def test_slot_is_taken_over_from_a_run_that_did_not_do_it(status):
    """A re-run of a failed slot does it."""
    first = runs.open_run(EXPIRE_TRIALS_JOB, Order(slot=SLOT))
    runs.close(first, Status(status))
    second = expire_trials(now=NOW, order=Order(slot=SLOT))
    assert Slot.objects.get().run_id == second.run


def test_silent_run_is_lost_and_its_slot_free():
    """Two minutes without a heartbeat, by the database's clock, and another takes the slot."""
    silent = runs.open_run(EXPIRE_TRIALS_JOB, Order(slot=SLOT))
    beat = datetime.timedelta(seconds=5)
    Run.objects.update(heartbeat=Now() - runs.LOST_AFTER + beat)
    with pytest.raises(SlotTakenError):
        expire_trials(now=NOW, order=Order(slot=SLOT))
    Run.objects.update(heartbeat=Now() - runs.LOST_AFTER - beat)
    expire_trials(now=NOW, order=Order(slot=SLOT))
    silent.refresh_from_db()
    assert (silent.status, silent.reason) == ("LOST", "its heartbeat stopped")


def test_job_is_refused_while_it_is_being_undone():
    """It would change again what is being put back."""
    mistake = Run.objects.create(job="expire_trials", status="SUCCEEDED")
    undo = Run.objects.create(job="expire_trials", undoes=mistake, user="me", host="laptop")
    with pytest.raises(RefusedError) as refused:
        expire_trials(now=NOW)
    assert str(refused.value) == (
        f"Refused: run {undo.pk} (me@laptop) is undoing run {mistake.pk} of expire_trials; "
        "nothing was changed. Wait for its end."
    )


@pytest.mark.engines("postgresql")
def test_what_counts_is_what_the_database_changed():
    """A trigger that keeps a row as it is: not changed, not in the batch, and the run fails."""
    kept, other = overdue(2)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF NEW.id = {kept} THEN RETURN NULL; END IF; RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER keep BEFORE UPDATE ON accounts_account "
            "FOR EACH ROW EXECUTE FUNCTION keep()"
        )
    for apply in (changes.one_statement, changes.portable):
        run = Run.objects.create(job="expire_trials")
        picked = paging.pick(
            EXPIRE_TRIALS.due(NOW - LIMIT), order=("pk",), after=None, size=9, skip_locked=True
        )
        done = apply(picked, EXPIRE_TRIALS.change, run, 1)
        assert (done.picked, done.changed) == (2, 1)
        assert Batch.objects.get(run=run).ids == [other]
        Account.objects.filter(pk=other).update(status=Account.TRIALING)
    assert expire_trials(now=NOW).status == "FAILED"


@pytest.mark.engines("postgresql")
def test_both_ways_do_the_same(monkeypatch, small):
    """PostgreSQL's one statement and the way through the ORM leave the same books."""
    books = []
    for apply in (changes.one_statement, changes.portable):
        monkeypatch.setattr(changes, "apply", apply)
        keys = overdue(8)
        expire_trials(now=NOW)
        batches = Batch.objects.order_by("number")
        books.append([(b.number, [keys.index(key) for key in sorted(b.ids)]) for b in batches])
        Batch.objects.all().delete()
    assert books[0] == books[1]
    assert [number for number, _ in books[0]] == [1, 2, 3]


@pytest.mark.engines("postgresql")
def test_one_statement_counts_for_a_run_that_is_running_alone():
    """It counts with the rows where the run is running; of a lost run it says that it did not."""
    for status, counted in ((Status.RUNNING, ""), (Status.LOST, None)):
        keys = overdue(2)
        run = Run.objects.create(job="expire_trials", status=status)
        picked = paging.pick(
            EXPIRE_TRIALS.due(NOW - LIMIT), order=("pk",), after=None, size=9, skip_locked=True
        )
        done = changes.one_statement(picked, EXPIRE_TRIALS.change, run, 1)
        assert done == changes.Changed(2, 2, (max(keys),), asked=counted)
        run.refresh_from_db()
        assert (run.changed, run.batches) == ((0, 0) if counted is None else (2, 1))


@pytest.mark.engines("postgresql")
def test_ids_of_a_batch_are_kept_plain():
    """PostgreSQL does not compress them: that would be a twelfth of a batch's time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute"
            " WHERE attrelid = 'runbook_jobs_batch'::regclass AND attname = 'numbers'"
        )
        assert cursor.fetchall() == [("e",)]


def test_condition_takes_constants_only():
    """What a row must be is known of all rows, or an undo could not look for it."""
    run = Run.objects.create(job="tidy")
    with pytest.raises(TypeError, match="created is an expression"):
        Change(model=Account, was={"created": Now()}, to={}).as_json()
    transition(
        Account.objects.none(), Change(model=Account, was={}, to={"status": "ACTIVE"}), run=run
    )
    assert Run.objects.get().changed == 0


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, ""),
        (
            {
                "GITHUB_SERVER_URL": "https://github.example",
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_RUN_ID": "9",
                "GITHUB_RUN_ATTEMPT": "2",
            },
            "https://github.example/o/r/actions/runs/9/attempts/2",
        ),
        ({"CI_JOB_URL": "https://gitlab.example/j/1"}, "https://gitlab.example/j/1"),
        ({"BUILD_URL": "https://jenkins.example/1/"}, "https://jenkins.example/1/"),
    ],
)
@pytest.mark.engines("sqlite")
def test_address_of_the_ci_run(env, url):
    """Each CI service says it in variables of its own."""
    assert ci_url(env) == url


EXPIRE_TRIALS_JOB = runs.Job(name="expire_trials")
