"""What a database error means for a batch: repeat it, halve it, connect again, or give up."""

import sqlite3
import time
from types import SimpleNamespace

import pytest
from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.database import faults
from django_runbook.jobs.database.faults import Fault, Patience, fault
from django_runbook.jobs.errors import FailedError
from django_runbook.jobs.models import Run, Status
from tests.ops.jobs import books
from tests.ops.jobs.books import NOW

#: Fails the first so many times that accounts are changed; a sequence is not rolled back.
FAILING = """
    CREATE SEQUENCE tries;
    CREATE FUNCTION failing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') <= {times} THEN
            RAISE EXCEPTION 'made to fail' USING ERRCODE = '{state}', HINT = 'not for the user';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER failing AFTER UPDATE ON accounts_account
        FOR EACH STATEMENT EXECUTE FUNCTION failing()
"""
ALWAYS = 1_000_000


@pytest.mark.engines("postgresql")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "helps"),
    [
        ("40001", Fault.REPEAT),
        ("40P01", Fault.REPEAT),
        ("55P03", Fault.REPEAT),
        ("57014", Fault.HALVE),
        ("57P01", Fault.RECONNECT),
        ("57P02", Fault.RECONNECT),
        ("57P03", Fault.RECONNECT),
        ("53300", Fault.RECONNECT),
        ("08006", Fault.RECONNECT),
        ("23505", None),
        ("25006", None),
        ("42501", None),
        ("53100", None),
        ("XX000", None),
    ],
)
def test_what_helps_on_postgresql(state, helps):
    """The server's own errors, raised for real."""
    with pytest.raises(Error) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
    assert fault(raised.value, connection) == helps


@pytest.mark.engines("postgresql")
@pytest.mark.django_db(transaction=True)
def test_session_that_the_server_ended_is_opened_again():
    """Whatever its reason, such as a pause of the whole machine in a transaction."""
    with pytest.raises(Error) as raised, transaction.atomic():  # noqa: PT012  # the pause counts
        books.execute("SET idle_in_transaction_session_timeout = '1ms'")
        time.sleep(0.05)
        books.execute("SELECT 1")
    assert fault(raised.value, connection) == Fault.RECONNECT
    connection.close()


def test_what_helps_on_sqlite(tmp_path):
    """A lock that another holds passes; a full or broken file does not. SQLite's own errors."""
    here = SimpleNamespace(vendor="sqlite")
    file = tmp_path / "f.sqlite3"
    one, two = (sqlite3.connect(file, timeout=0, isolation_level=None) for _ in range(2))

    def wrong(*statements: str) -> Error:
        with pytest.raises(sqlite3.Error) as raised:  # noqa: PT012  # the last fails
            for statement in statements:
                two.execute(statement)
        error = OperationalError()
        error.__cause__ = raised.value
        return error

    one.executescript("CREATE TABLE t (i PRIMARY KEY); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
    assert fault(wrong("BEGIN IMMEDIATE"), here) == Fault.REPEAT
    one.execute("COMMIT")
    full = "INSERT INTO t SELECT randomblob(9999)"
    assert fault(wrong("PRAGMA max_page_count = 1", full), here) is None
    assert fault(wrong("PRAGMA query_only = 1", full), here) is None
    assert fault(wrong("SELECT * FROM nothing"), here) is None
    assert fault(IntegrityError(), here) is None
    one.close()
    two.close()


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (OperationalError(1205, "Lock wait timeout exceeded"), Fault.REPEAT),
        (OperationalError(1213, "Deadlock found"), Fault.REPEAT),
        (OperationalError(1969, "max_statement_time exceeded"), Fault.HALVE),
        (OperationalError(3024, "maximum statement execution time exceeded"), Fault.HALVE),
        (OperationalError(2006, "Server has gone away"), Fault.RECONNECT),
        (OperationalError(2013, "Lost connection"), Fault.RECONNECT),
        (InterfaceError(0, ""), Fault.RECONNECT),
        (OperationalError(1114, "The table is full"), None),
        (OperationalError(1290, "The server is running with --read-only"), None),
        (OperationalError(), None),
    ],
)
def test_what_helps_on_mysql(error, helps):
    """By the numbers of the error references."""
    assert fault(error, SimpleNamespace(vendor="mysql")) == helps


def test_nothing_is_known_to_help_on_other_engines():
    """An engine that the kit does not know fails with its own error."""
    assert fault(OperationalError(1205), SimpleNamespace(vendor="oracle")) is None


@pytest.mark.engines("postgresql")
@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014"])
def test_batch_is_repeated_as_a_whole(five, state):
    """Three times each statement's work is undone, and done at the fourth try."""
    books.execute(FAILING.format(times=3, state=state))
    sizes = []
    result = expire_trials(now=NOW, watch=lambda batch: sizes.append(batch.size))
    assert (result.status, result.expired, result.left) == (Status.SUCCEEDED, 5, 0)
    assert sizes[0] == (1 if state == "57014" else 3)  # a statement that is too long is halved
    assert books.complaints() == []


@pytest.mark.engines("postgresql")
def test_statement_that_takes_too_long_is_halved_until_it_fits(five, monkeypatch):
    """The server's own timeout: eight rows of 30 ms do not fit in 100 ms; two do."""
    monkeypatch.setattr("django_runbook.jobs.database.timeouts.STATEMENT_SECONDS", 0.1)
    monkeypatch.setattr("django_runbook.jobs.batches.loop.FIRST_SIZE", 8)
    books.execute(
        """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(0.03); RETURN new; END $$""",
        """CREATE TRIGGER slow BEFORE UPDATE ON accounts_account
            FOR EACH ROW EXECUTE FUNCTION slow()""",
    )
    books.open_accounts(3)
    sizes = []
    result = expire_trials(now=NOW, watch=lambda batch: sizes.append(batch.size))
    assert (result.status, result.expired) == (Status.SUCCEEDED, 8)
    assert max(sizes) <= 3
    assert books.complaints() == []


@pytest.mark.engines("postgresql")
@pytest.mark.parametrize(("state", "patience"), [("53100", 120), ("40001", 0.1)])
def test_error_that_nothing_helps_against_is_told(five, monkeypatch, state, patience):
    """A full disk, a conflict without end: one line, the first cause.

    What was committed stays; the next run does the rest.
    """
    monkeypatch.setattr(faults, "PATIENCE", patience)

    def watch(_batch: object) -> None:
        books.execute(FAILING.format(times=ALWAYS, state=state))

    with pytest.raises(FailedError) as failed:
        expire_trials(now=NOW, watch=watch)
    run = Run.objects.get()
    assert str(failed.value).startswith(
        f"Run {run.pk} of expire_trials failed: made to fail. 3 changed row(s) stay changed; "
    )
    assert (run.status, run.reason, run.changed) == (Status.FAILED, "made to fail", 3)
    assert run.finished
    books.execute("DROP TRIGGER failing ON accounts_account")
    assert expire_trials(now=NOW).expired == 2
    assert books.complaints() == []


@pytest.mark.engines("postgresql")
def test_end_that_is_asked_for_ends_the_repetition(five, monkeypatch):
    """Whoever waits for a lock ends within the wait, stopped and not failed."""
    monkeypatch.setattr(faults, "FIRST_WAIT", 60)
    monkeypatch.setattr(faults, "LONGEST_WAIT", 60)
    books.execute(FAILING.format(times=ALWAYS, state="55P03"))
    result = expire_trials(now=NOW, stop=Stop(max_seconds=0.3))
    assert (result.status, result.reason) == (Status.STOPPED, "--max-seconds 0.3")
    assert (result.expired, result.left) == (0, 5)
    assert result.seconds < 2
    assert Run.objects.get().status == Status.STOPPED


def test_waits_grow_with_jitter_up_to_their_longest():
    """From 25 to 50 ms, doubling, up to five seconds; then patience is over."""
    patience = Patience(seconds := 60)
    longest = 0.05
    for _ in range(12):
        wait = patience.next()
        assert longest / 2 <= wait <= longest <= 5
        longest = min(longest * 2, 5)
    assert Patience(-seconds).next() is None


KEEPS = {
    "sqlite": [
        """CREATE TRIGGER keeps BEFORE UPDATE ON accounts_account WHEN old.id = {kept} BEGIN
            SELECT RAISE(IGNORE); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF old.id = {kept} THEN RETURN NULL; END IF; RETURN new; END $$""",
        """CREATE TRIGGER keeps BEFORE UPDATE ON accounts_account
            FOR EACH ROW EXECUTE FUNCTION keeps()""",
    ],
}


def test_row_that_the_database_keeps_holds_up_no_other(five, engine):
    """It is not counted; the run goes on behind it, and fails for the row that is still due."""
    kept = Account.objects.filter(status=Account.TRIALING).earliest("created", "pk").pk
    books.execute(*(statement.format(kept=kept) for statement in KEEPS[engine]))
    result = expire_trials(now=NOW)
    assert (result.status, result.expired, result.left) == (Status.FAILED, 4, 1)
    assert books.complaints() == []


@pytest.mark.engines("sqlite")
def test_payment_between_the_look_and_the_update_wins(five):
    """Where an engine has no locks for rows, the condition in the UPDATE itself keeps who paid."""
    paid = []

    def pays(execute, sql, *arguments):
        done = execute(sql, *arguments)
        if sql.startswith('SELECT "accounts_account"."created"') and not paid:
            payer = Account.objects.filter(status=Account.TRIALING).earliest("created", "pk")
            paid.append(payer.pk)
            Account.objects.filter(pk=payer.pk).update(status=Account.ACTIVE)
        return done

    with connection.execute_wrapper(pays):
        result = expire_trials(now=NOW)
    assert (result.status, result.expired) == (Status.SUCCEEDED, 4)
    assert Account.objects.get(pk=paid[0]).status == Account.ACTIVE
    assert books.complaints() == []
