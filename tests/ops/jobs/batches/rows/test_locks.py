"""Rows that other sessions hold: what is due is waited for, and whoever pays first stays ACTIVE."""

import threading
import time
from collections import Counter

import pytest
from django.db import connection
from psycopg import IsolationLevel

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.models import Run, Status
from tests.ops.jobs import books
from tests.ops.jobs.books import NOW

pytestmark = pytest.mark.engines("postgresql")

PAY = "UPDATE accounts_account SET status = 'ACTIVE' WHERE id = %s"
RENEW = "UPDATE accounts_account SET created = now() + interval '99 years' WHERE id = %s"
BLOCKED = "SELECT pid FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"


@pytest.fixture
def keys(committed_five, monkeypatch):
    """Return the accounts that are due, in the order of the run; a lock is waited for shortly."""
    monkeypatch.setattr("django_runbook.jobs.database.timeouts.LOCK_SECONDS", 0.1)
    due = Account.objects.filter(status=Account.TRIALING, created__lt=books.OVER + books.DAY)
    return list(due.order_by("created", "pk").values_list("pk", flat=True))


@pytest.mark.slow
@pytest.mark.parametrize("pays", [False, True])
def test_locked_row_is_waited_for_in_the_last_pass(keys, session, pays):
    """The first pass leaves it out; the last waits, gives up, repeats, and has it in the end.

    Where its holder pays, the row is no longer due, and stays ACTIVE.
    """
    other = session()
    seen = []
    with other.transaction():
        if pays:
            other.execute(PAY, [keys[1]])
        else:
            other.execute("SELECT FROM accounts_account WHERE id = %s FOR UPDATE", [keys[1]])
        thread, told = in_thread(lambda: expire_trials(now=NOW, watch=seen.append))
        wait_for(lambda: Run.objects.filter(changed=4).exists())
        time.sleep(0.3)  # three times as long as one try waits
        assert thread.is_alive()
        assert books.statuses() == {"ACTIVE": 2, "TRIALING": 3, "TRIAL_EXPIRED": 4}
    thread.join(10)
    assert [(run.status, run.expired, run.left) for run in told] == [("SUCCEEDED", 5 - pays, 0)]
    assert [batch.changed for batch in seen] == [3, 1] if pays else [3, 1, 1]
    assert Account.objects.get(pk=keys[1]).status == ("ACTIVE" if pays else "TRIAL_EXPIRED")
    assert books.complaints() == []


@pytest.mark.parametrize("meanwhile", [PAY, RENEW, "DELETE FROM accounts_account WHERE id = %s"])
def test_row_that_is_not_due_any_more_is_left(keys, session, monkeypatch, meanwhile):
    """A run that is alone locks no row before it changes it, and asks of each again when it does.

    Of one that another was changing then, it waits for the end, and sees what that other made of
    it; the rows beside it are changed in the same batch.
    """
    monkeypatch.setattr("django_runbook.jobs.batches.loop.ALONE_SECONDS", 20)
    other, watcher, seen = session(), session(), []
    with other.transaction():
        other.execute(meanwhile, [keys[1]])
        thread, told = in_thread(lambda: expire_trials(now=NOW, watch=seen.append))
        wait_for(lambda: watcher.execute(BLOCKED, [other.info.backend_pid]).fetchone())
    thread.join(10)
    assert [(run.status, run.expired, run.left) for run in told] == [("SUCCEEDED", 4, 0)]
    assert [batch.changed for batch in seen] == [2, 2]
    left = Account.objects.filter(pk=keys[1]).values_list("status", flat=True)
    assert list(left) == {PAY: ["ACTIVE"], RENEW: ["TRIALING"]}.get(meanwhile, [])


def test_deadlock_is_repeated(keys, session, monkeypatch):
    """A real one: the run holds the first row and waits for the second, a payer the other way."""
    monkeypatch.setattr("django_runbook.jobs.batches.loop.ALONE_SECONDS", 20)
    first, second = session(), session()
    deadlocks = count_of(session(), "deadlocks")

    def job():
        books.execute("SET deadlock_timeout = '300ms'")  # the first to look is the one that ends
        return expire_trials(now=NOW)

    with second.transaction():
        second.execute(PAY, [keys[1]])
        with first.transaction():
            first.execute("SELECT FROM accounts_account WHERE id = %s FOR UPDATE", [keys[0]])
            thread, told = in_thread(job)
            watcher = session()
            wait_for(lambda: watcher.execute(BLOCKED, [first.info.backend_pid]).fetchone())
        wait_for(lambda: watcher.execute(BLOCKED, [second.info.backend_pid]).fetchone())
        second.execute(PAY, [keys[0]])
    thread.join(10)
    assert [(run.status, run.expired, run.left) for run in told] == [("SUCCEEDED", 3, 0)]
    wait_for(lambda: count_of(watcher, "deadlocks") == deadlocks + 1)
    assert books.statuses() == {"ACTIVE": 4, "TRIALING": 2, "TRIAL_EXPIRED": 3}
    assert books.complaints() == []


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_serialization_failure_is_repeated(keys, session, monkeypatch, level):
    """Where a project isolates its transactions more, a conflict with a payer is repeated."""
    monkeypatch.setattr("django_runbook.jobs.database.timeouts.LOCK_SECONDS", 20)
    other, failures = session(), Counter()

    def count(execute, sql, *arguments):
        try:
            return execute(sql, *arguments)
        except Exception as error:
            failures[getattr(error.__cause__, "sqlstate", None)] += 1
            raise

    def job():
        connection.ensure_connection()
        connection.connection.isolation_level = level
        with connection.execute_wrapper(count):
            return expire_trials(now=NOW)

    with other.transaction():
        other.execute(PAY, [keys[1]])
        thread, told = in_thread(job)
        wait_for(lambda: session().execute(BLOCKED, [other.info.backend_pid]).fetchone())
    thread.join(10)
    assert [(run.status, run.expired, run.left) for run in told] == [("SUCCEEDED", 4, 0)]
    assert failures == {"40001": 1}
    assert books.statuses() == {"ACTIVE": 3, "TRIALING": 2, "TRIAL_EXPIRED": 4}
    assert books.complaints() == []


def test_waiting_run_is_not_taken_for_lost(keys, session, monkeypatch):
    """Its heart beats while it waits for a row for longer than a heart may stand still."""
    for name in ("LOOK_SECONDS", "BEAT_SECONDS"):
        monkeypatch.setattr(f"django_runbook.jobs.ledger.heart.{name}", 0.1)
    other = session()
    with other.transaction():
        other.execute("SELECT FROM accounts_account WHERE id = %s FOR UPDATE", [keys[0]])
        thread, told = in_thread(lambda: expire_trials(now=NOW))
        wait_for(lambda: Run.objects.filter(changed=4).exists())
        books.let_time_pass()
        old = Run.objects.get().heartbeat
        wait_for(lambda: Run.objects.get().heartbeat > old)
    thread.join(10)
    assert [(run.status, run.expired) for run in told] == [(Status.SUCCEEDED, 5)]


def in_thread(job):
    """Start this in a thread with a connection of its own; return it, and a list for its result."""
    told = []

    def work():
        try:
            told.append(job())
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread, told


def wait_for(true) -> None:
    """Return once it is."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def count_of(other, what: str) -> int:
    """Return what the server has counted in this database."""
    other.execute("SELECT pg_stat_clear_snapshot()")
    query = f"SELECT {what} FROM pg_stat_database WHERE datname = current_database()"
    return other.execute(query).fetchone()[0]
