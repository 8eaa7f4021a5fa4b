"""An end that is asked for comes after the batch, within two seconds, with exit code 4."""

import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.models import Run, Status
from tests.commands import ROOT
from tests.ops.jobs import books

pytestmark = [pytest.mark.engines("sqlite", "postgresql"), pytest.mark.slow]

#: Each batch takes a while, as in a large database.
SLOW = {
    "sqlite": [
        """CREATE TRIGGER slow BEFORE INSERT ON runbook_jobs_batch BEGIN
        SELECT count(*) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT i FROM n LIMIT 300000); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(0.1); RETURN new; END $$""",
        """CREATE TRIGGER slow BEFORE INSERT ON runbook_jobs_batch
            FOR EACH ROW EXECUTE FUNCTION slow()""",
    ],
}
FAST = {
    "sqlite": "DROP TRIGGER slow",
    "postgresql": "DROP TRIGGER slow ON runbook_jobs_batch",
}
DUE = 3000  # long enough for another session of SQLite to get its turn


@pytest.fixture
def manage(commands, shared_url, engine):
    """Open accounts that are due, let batches be slow, and return what starts the command."""
    books.stage(DUE, now=timezone.now(), young=DUE)
    books.execute(*SLOW[engine])

    @contextmanager
    def started(*argv):
        process = subprocess.Popen(
            [sys.executable, ROOT / "backend/manage.py", "expire_trials", "--verbosity=2", *argv],
            env=commands.env({"DATABASE_URL": shared_url, "PYTHONUNBUFFERED": "1"}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return started


def until(process, text) -> None:
    """Read what the command says, until it says this."""
    while text not in (line := process.stdout.readline()):
        assert line, process.stderr.read()


def end(process, number):
    """Send a signal; return the exit code and the error of an end that comes soon.

    Two seconds are what is promised; a machine that does much else is given ten.
    """
    begin = time.monotonic()
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert time.monotonic() - begin < 10
    return process.returncode, error


def stopped(number):
    """Return the exit code and the error of a run that was stopped."""
    return 4, f"CommandError: Stopped by {number.name}. The next run goes on.\n"


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_signal_ends_after_the_batch_and_the_next_run_goes_on(manage, engine, number):
    """What was committed stays; the next run takes over the cutoff and the rest."""
    with manage() as process:
        until(process, "batch 2")
        assert end(process, number) == stopped(number)
    first = Run.objects.get()
    assert (first.status, first.reason) == (Status.STOPPED, number.name)
    assert first.due == DUE
    assert 0 < first.changed < DUE
    assert books.complaints() == []
    books.execute("DELETE FROM witness")
    later = Account.objects.filter(status=Account.TRIALING).latest("created")
    Account.objects.filter(pk=later.pk).update(created=first.cutoff)
    books.execute(FAST[engine])
    second = expire_trials(now=timezone.now())
    assert (second.status, second.continues, second.cutoff) == ("SUCCEEDED", first.pk, first.cutoff)
    assert second.expired == DUE - first.changed
    later.refresh_from_db()
    assert later.status == Account.TRIALING  # it became due since: for the run after


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_end_of_its_time_ends_after_the_batch(manage):
    """--max-seconds is a signal that one gives oneself."""
    begin = time.monotonic()
    with manage("--max-seconds=0.3") as process:
        _, error = process.communicate(timeout=30)
    assert process.returncode == 4
    assert error == "CommandError: Stopped by --max-seconds 0.3. The next run goes on.\n"
    assert time.monotonic() - begin < 20
    run = Run.objects.get()
    assert (run.status, run.reason) == (Status.STOPPED, "--max-seconds 0.3")
    assert 0 < run.changed < DUE
    assert books.complaints() == []


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_second_interrupt_ends_at_once(manage):
    """The batch is rolled back, the run is closed, and nothing more is said: exit code 130."""
    with manage() as process:
        until(process, "batch 1")
        books.execute(
            SLOW["postgresql"][0].replace("CREATE", "CREATE OR REPLACE").replace("0.1", "9")
        )
        deadline = time.monotonic() + 5
        while not asleep():
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        time.sleep(0.4)  # the driver looks for signals every 0.1 s, and two are then one
        assert end(process, signal.SIGINT) == (130, "")
    run = Run.objects.get()
    assert (run.status, run.reason) == (Status.STOPPED, "interrupted")
    assert 0 < run.changed < DUE
    assert books.complaints() == []


def asleep() -> bool:
    """Tell whether a batch is in its long sleep."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event = 'PgSleep' AND clock_timestamp() - query_start > interval '0.3 s'"
        )
        return bool(cursor.fetchone())


@contextmanager
def at_once(engine):
    """Begin a transaction between two batches: SQLite's own wait may miss them all."""
    if engine == "sqlite":
        books.execute("PRAGMA busy_timeout = 0")
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(transaction.atomic())
                break
            except OperationalError:
                time.sleep(0.001)
        yield
    if engine == "sqlite":
        books.execute("PRAGMA busy_timeout = 20000")


def test_signal_ends_the_wait_for_a_lock(manage, engine):
    """Another session holds the rows, or all of SQLite: the run ends, closed where it can be."""
    with manage() as process:
        until(process, "batch 1")
        with at_once(engine):
            list(Account.objects.select_for_update().values_list("pk"))
            time.sleep(0.4)
            code, error = end(process, signal.SIGTERM)
    run = Run.objects.get()
    open_still = f"Run {run.pk} could not be closed: database is locked.\n"
    kept = open_still if engine == "sqlite" else ""
    assert (code, error) == (4, kept + stopped(signal.SIGTERM)[1])
    assert run.status == (Status.RUNNING if engine == "sqlite" else Status.STOPPED)
    assert 0 < run.changed < DUE
    assert books.complaints() == []
    books.let_time_pass()
    books.execute(FAST[engine])
    again = expire_trials(now=timezone.now())
    assert (again.continues, again.expired + run.changed) == (run.pk, DUE)
