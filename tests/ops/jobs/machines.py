"""Does to the accounts and the ledger whatever can happen, and to their model the same."""

import datetime
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from accounts.models import Account, Status
from accounts.services import expire_trials
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.errors import FailedError, RefusedError
from django_runbook.jobs.models import Run
from tests.ops.jobs import books
from tests.ops.jobs.model import EXPIRED, TRIALING, Known, Model
from tests.ops.jobs.watch.watching import KilledError, Watch

MOST = 14  # accounts
HOUR = datetime.timedelta(hours=1)
ACTIVE = Status.ACTIVE.value

NUMBER = st.integers(0, MOST)
HAND = st.sampled_from([TRIALING, EXPIRED, ACTIVE])
MEDDLING = st.one_of(
    st.tuples(st.just("pays"), NUMBER),
    st.tuples(st.just("staff_sets"), NUMBER, HAND),
    st.tuples(st.just("hearts_stop")),
    st.tuples(st.just("runs")),
    st.tuples(st.just("undoes"), NUMBER),
)


class Books(Model):
    """Runs, payments, staff, kills and undos in any order, one also in the midst of another."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        for days in (62, 61, 60):
            self.opens(days * 24 + 1, 3)

    def teardown(self) -> None:
        """Leave nothing behind."""
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @precondition(lambda self: len(self.created) < MOST)
    @rule(hours=st.integers(59 * 24, 63 * 24), count=st.integers(1, 4))
    def opens(self, hours: int, count: int) -> None:
        """Open accounts that are so old."""
        keys = books.open_accounts(count, created=self.now - HOUR * hours)
        self.created |= dict(Account.objects.filter(pk__in=keys).values_list("pk", "created"))
        self.status |= dict.fromkeys(keys, TRIALING)

    @rule(hours=st.integers(-5, 30))
    def time_passes(self, hours: int) -> None:
        """Let the clock go on, or be set back."""
        self.now += HOUR * hours

    @rule(number=NUMBER)
    def pays(self, number: int) -> None:
        """Let an account pay, if it is in trial."""
        account = self.account(number)
        paid = Account.objects.filter(pk=account, status=TRIALING).update(status=ACTIVE)
        assert paid == (self.status[account] == TRIALING)
        if paid:
            self.becomes(account, ACTIVE)

    @rule(number=NUMBER, status=HAND)
    def staff_sets(self, number: int, status: str) -> None:
        """Let somebody set a status by hand."""
        account = self.account(number)
        if self.status[account] != status:
            Account.objects.filter(pk=account).update(status=status)
            self.becomes(account, status)

    @rule()
    def hearts_stop(self) -> None:
        """Let each run that is not over seem dead."""
        books.let_time_pass()
        for run in self.running():
            run.stale = True

    @rule(
        stop_after=st.none() | st.integers(0, 3),
        meddling=st.dictionaries(st.integers(1, 4), st.lists(MEDDLING, max_size=3), max_size=3),
    )
    def runs(self, stop_after: int | None = None, meddling: Any = ()) -> None:
        """Run the job, stopped after so many batches, with others acting between them."""
        self.bury()
        watch = Watch(self, stop_after, dict(meddling), cutoff=self.next_cutoff())
        undone = any(run.undoes for run in self.running())
        try:
            result = expire_trials(now=self.now, stop=watch.stop, watch=watch)
        except RefusedError:
            assert undone
            watch.known.status = "REFUSED"
            return
        except FailedError:  # its next batch was fenced
            assert watch.known.status == "LOST"
            return
        assert not undone
        left = len(self.due(watch.known.cutoff))
        cut_short = "STOPPED" if watch.stop.reason else "FAILED"
        if watch.known.status == "RUNNING":
            watch.known.status = cut_short if left else "SUCCEEDED"
        else:
            assert result.warnings
        assert result.status == watch.known.status
        assert (result.cutoff, result.left) == (watch.known.cutoff, left)
        assert result.expired == len(watch.known.rows)

    @rule(
        number=NUMBER,
        stop_after=st.none() | st.integers(0, 3),
        meddling=st.dictionaries(st.integers(1, 2), st.just([("runs",)]), max_size=1),
    )
    def undoes(self, number: int, stop_after: int | None = None, meddling: Any = ()) -> None:
        """Undo a run, perhaps stopped; nobody may run the job meanwhile."""
        target = self.target(number)
        if target is None:
            return
        self.bury()
        possible = target.rows and not self.running()
        watch = Watch(self, stop_after, dict(meddling), undoes=target.pk)
        try:
            result = undo_run(target.pk, stop=watch.stop, watch=watch)
        except RefusedError:
            assert not possible
            return
        assert possible
        assert bool(result.left) == (result.status == "STOPPED")
        assert bool(result.left) <= bool(watch.stop.reason)
        assert result.restored == len(watch.known.rows)
        assert result.restored + sum(result.others.values()) + result.left == len(target.rows)
        assert watch.stop.reason or not self.restorable(target)
        watch.known.status = result.status

    @rule(statement=st.integers(1, 60))
    def run_is_killed(self, statement: int) -> None:
        """Run the job, and kill it before this statement."""
        if not any(run.undoes for run in self.running(alive=True)):
            watch = Watch(self, cutoff=self.next_cutoff())
            self.killed(statement, watch, lambda: expire_trials(now=self.now, watch=watch))

    @rule(number=NUMBER, statement=st.integers(1, 60))
    def undo_is_killed(self, number: int, statement: int) -> None:
        """Undo a run, and kill it before this statement."""
        target = self.target(number)
        if target and target.rows and not self.running(alive=True):
            watch = Watch(self, undoes=target.pk)
            self.killed(statement, watch, lambda: undo_run(target.pk, watch=watch))

    def killed(self, statement: int, watch: Watch, work: Callable[[], Any]) -> None:
        """Do this, killed before a statement, if it comes so far."""
        watch.killer.left = statement
        try:
            with connection.execute_wrapper(watch.killer):
                result = work()
        except KilledError:
            buried = set(Run.objects.filter(status="LOST").values_list("pk", flat=True))
            for run in self.running():
                run.status = "LOST" if run.pk in buried else run.status
            if watch.known_yet or Run.objects.count() > len(self.runs_known):
                over = Run.objects.filter(pk=watch.known.pk, status="SUCCEEDED").exists()
                watch.known.status = "SUCCEEDED" if over else "RUNNING"
                assert not (over and self.left_by(watch.known))
        else:
            self.bury()
            watch.known.status = result.status

    def target(self, number: int) -> Known | None:
        """Return a run that is none's undo."""
        runs = [run for run in self.runs_known.values() if not run.undoes]
        return runs[number % len(runs)] if runs else None

    @invariant()
    def agrees(self) -> None:
        """The accounts, the ledger and the witness are what the model says."""
        assert dict(Account.objects.values_list("pk", "status")) == self.status
        assert books.witnessed() == self.events
        assert books.unbalanced() == []
        runs = {run.pk: (run.status, len(run.rows)) for run in self.runs_known.values()}
        assert {run.pk: (run.status, run.changed) for run in Run.objects.all()} == runs
