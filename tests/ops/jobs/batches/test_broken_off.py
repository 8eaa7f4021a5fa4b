"""Whatever a run waits for, an end that is asked for breaks it off: within two seconds, code 4."""

import datetime
import itertools
import signal
import time

import pexpect
import pytest
from django.db import connection
from django.utils import timezone

from accounts.services import expire_trials
from django_runbook.jobs.ledger import leases, runs
from django_runbook.jobs.models import Lease, Run, Status
from tests.ops.jobs import books, waiting

pytestmark = [pytest.mark.engines("sqlite", "postgresql"), pytest.mark.slow]

DUE = 5
SIGNALS = {name: getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP")}
WAYS = [*SIGNALS, "--max-seconds 3"]
LOCKED = {"sqlite": "database is locked"}


@pytest.fixture
def due(shared_url):
    """Open accounts that are due now, in a database of the test's own; return its URL."""
    books.stage(DUE, now=timezone.now())
    return shared_url


def end(process, way):
    """Ask for the end so, or let its time be over; return the exit code and the error.

    Two seconds are what is promised; a machine that does much else is given ten.
    """
    begin = time.monotonic()
    if way in SIGNALS:
        process.send_signal(SIGNALS[way])
    _, error = process.communicate(timeout=30)
    assert time.monotonic() - begin < 10
    return process.returncode, error


@pytest.mark.parametrize(
    ("phase", "how", "way"),
    [
        *itertools.product(["counting", "verifying"], ["lock", "slow"], WAYS),
        *itertools.product(["opening"], ["lock"], WAYS),
    ],
)
def test_end_that_is_asked_for(commands, due, engine, phase, how, way):
    """Also while it waits for a lock, or counts for minutes; what was done stays, in the ledger.

    The run is closed, where the ledger itself is not locked; the next one goes on and finds what
    is left, and nothing twice.
    """
    argv = (way.replace(" ", "="),) if way.startswith("--") else ()
    with waiting.waits(commands, due, phase, how, *argv) as process:
        code, error = end(process, way)
    closes = how == "slow" or engine == "postgresql"
    if phase == "opening":
        assert (code, error) == (4, f"CommandError: Stopped by {way}; nothing was changed.\n")
        assert not Run.objects.exists()
    else:
        run = Run.objects.get()
        kept = "" if closes else f"Run {run.pk} could not be closed: {LOCKED[engine]}.\n"
        said = f"{kept}CommandError: Stopped by {way}. The next run goes on.\n"
        assert (code, error) == (4, said)
        assert run.status == (Status.STOPPED if closes else Status.RUNNING)
        assert run.reason == (way if closes else "")
        assert (run.due, run.changed) == ((None, 0) if phase == "counting" else (DUE, DUE))
    assert books.complaints() == []
    books.let_time_pass()
    again = expire_trials(now=timezone.now())
    assert (again.status, again.left) == ("SUCCEEDED", 0)
    assert books.facts() == {"complaints": [], "statuses": books.FIVE_DONE, "changes": DUE}


def test_heart_beats_while_a_count_takes_longer_than_a_heart_may_stand_still(
    commands, due, monkeypatch
):
    """And the lease is renewed: nobody takes the run for lost, nor its place.

    SQLite with a write-ahead log: without one a count keeps whoever would take it away, as well.
    """
    if connection.vendor == "sqlite":
        books.execute("PRAGMA journal_mode = WAL")
    monkeypatch.setattr(runs, "LOST_AFTER", datetime.timedelta(seconds=1))
    monkeypatch.setattr(leases, "DURATION", datetime.timedelta(seconds=1))
    with waiting.waits(commands, due, "counting", "slow", "hurry") as process:
        run = Run.objects.get()
        begin = time.monotonic()
        while time.monotonic() - begin < 4:
            assert not runs.mark_lost(run.job)
            time.sleep(0.1)
        later = Run.objects.get()
        assert later.heartbeat - later.started > datetime.timedelta(seconds=3)
        assert Lease.objects.get().expires > later.heartbeat
        assert end(process, "SIGTERM")[0] == 4
    assert (later.status, Run.objects.get().status) == (Status.RUNNING, Status.STOPPED)
    assert not Lease.objects.exists()


@pytest.mark.parametrize(("keys", "name"), [("\x03", "SIGINT"), (None, "SIGTERM")])
def test_end_that_is_asked_for_at_a_question(commands, due, keys, name):
    """One Ctrl-C is enough: nothing has begun that wants an orderly end."""
    run = expire_trials(now=timezone.now()).run
    env = {"DATABASE_URL": due, "ENVIRONMENT": "production", "DEBUG": "false"}
    terminal = commands.terminal("jobs.undo", str(run), **env)
    terminal.expect("to go on: ")
    if keys:
        terminal.send(keys)
    else:
        terminal.kill(SIGNALS[name])
    terminal.expect_exact(f"Stopped by {name}; nothing was changed.")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 4
    assert Run.objects.count() == 1
    assert books.statuses() == books.FIVE_DONE


@pytest.mark.parametrize("way", WAYS)
def test_dry_run_that_waits(commands, due, way):
    """A look that waits for a lock is broken off as well."""
    argv = ("--dry-run", *([way.replace(" ", "=")] if way.startswith("--") else []))
    with waiting.waits(commands, due, "looking", "lock", *argv) as process:
        code, error = end(process, way)
    assert (code, error) == (4, f"CommandError: Stopped by {way}; nothing was changed.\n")
    assert not Run.objects.exists()
