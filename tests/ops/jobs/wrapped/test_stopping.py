"""An end that is asked for: in the ledger, and while the supervisor waits for the ledger."""

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection, transaction

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.models import Run
from django_runbook.jobs.wrapped import pulse
from tests.commands import ROOT
from tests.ops.jobs.wrapped.conftest import NIGHTS, said

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql"), pytest.mark.django_db]
ENDS_WITH = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit({}))
time.sleep(60)
"""
REASON = "me@laptop: the disk is full"


def asked(number: int) -> None:
    """Ask a run in the ledger to end, as ``inv jobs.stop`` does."""
    Run.objects.filter(pk=number).update(stop_asked=Now(), stop_reason=REASON)


def soon_asked() -> threading.Thread:
    """Ask the run to end once it is there."""

    def ask() -> None:
        while not (run := Run.objects.first()):
            time.sleep(0.05)
        asked(run.pk)
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("own", "body"),
    [
        (False, "import time; time.sleep(60)"),
        (True, ENDS_WITH.format(4)),
    ],
)
def test_run_that_is_asked_to_end_is_stopped(run, shared_url, monkeypatch, own, body):
    """Its command gets SIGTERM at the next beat: STOPPED, by whom and why, exit code 4."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.3)
    asker = soon_asked()
    result = run(body, own=own)
    asker.join()
    assert (result.status, result.code, result.reason) == ("STOPPED", 4, REASON)
    row = Run.objects.get()
    assert (row.status, row.reason) == ("STOPPED", REASON)


def test_command_that_ends_well_in_spite_of_it_has_succeeded(run, shared_url, monkeypatch):
    """What exits with 0 is done: it was at its end."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.3)
    asker = soon_asked()
    result = run(ENDS_WITH.format(0))
    asker.join()
    assert (result.status, result.code, result.reason) == ("SUCCEEDED", 0, "")


def test_beat_comes_within_a_few_seconds():
    """So soon does a run see that it is asked to end."""
    assert pulse.BEAT_SECONDS <= 5


@pytest.fixture
def starting(commands, shared_url):
    """Return what starts a job; what is left of it is killed."""
    made = []

    def start(*argv):
        process = subprocess.Popen(
            [sys.executable, ROOT / "backend/manage.py", "run_job", "odd", *argv],
            env=commands.env({**NIGHTS, "DATABASE_URL": shared_url}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        made.append(process)
        return process

    yield start
    for process in made:
        process.kill()
        process.communicate()


def locked(engine: str) -> None:
    """Lock the ledger in the transaction that was begun: no run can be opened."""
    with connection.cursor() as cursor:
        if engine == "postgresql":
            cursor.execute("LOCK TABLE runbook_jobs_run IN ACCESS EXCLUSIVE MODE")
        else:
            cursor.execute("UPDATE runbook_jobs_run SET pid = 0")


def listens(process: subprocess.Popen) -> bool:
    """Tell whether a process has a handler for SIGTERM: it has loaded what it needs."""
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    caught = int(re.search(r"^SigCgt:\s+(\w+)", status, re.MULTILINE)[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def waits(process: subprocess.Popen, engine: str) -> bool:
    """Tell whether it waits for the lock; SQLite does not say."""
    if engine == "sqlite":
        time.sleep(2)
        return listens(process)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone())


STOPPED = r"CommandError: Stopped by {}; nothing was changed\.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_wait_for_the_ledger(starting, engine, number):
    """Before there is a run: exit code 4 and one line, soon, and nothing was begun.

    Two seconds are what is promised; a machine that does much else is given more.
    """
    with transaction.atomic():
        locked(engine)
        process = starting("--", "code", "0")
        while not waits(process, engine):
            time.sleep(0.05)
        begin = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - begin < 20
    assert (process.returncode, out) == (4, "")
    assert re.fullmatch(STOPPED.format(number.name), err), err
    assert not Run.objects.filter(status="RUNNING").exists()


def test_end_of_its_time_ends_the_wait_for_the_ledger(starting, engine):
    """--max-seconds counts from the start, not from when the ledger answers."""
    with transaction.atomic():
        locked(engine)
        process = starting("--max-seconds=3", "--", "code", "0")
        _, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert re.fullmatch(STOPPED.format("--max-seconds 3"), err), err
    assert not Run.objects.filter(status="RUNNING").exists()


def test_wait_is_part_of_the_time_of_a_run(run, shared_url, files, monkeypatch):
    """A command that could begin late has less time: its scheduler waits no longer."""
    from django_runbook.jobs.ledger import runs

    opened = runs.open_run

    def slowly(*args, **values):
        time.sleep(1)
        return opened(*args, **values)

    monkeypatch.setattr(runs, "open_run", slowly)
    begin = time.monotonic()
    result = run("import time; time.sleep(60)", max_seconds=2)
    assert (result.status, result.reason) == ("FAILED", "it took longer than 0.0333333 min")
    assert time.monotonic() - begin < 8
    assert said(files[0]) == ""


def test_ledger_that_is_away_for_long_is_told(run, shared_url, engine, monkeypatch):
    """A few beats that are missed say nothing; a long time without one is a warning."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(pulse, "WORRYING", 1)

    def hold() -> None:
        while not Run.objects.exists():
            time.sleep(0.05)
        with transaction.atomic():
            locked(engine)
            time.sleep(3)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    result = run("import time; time.sleep(5)")
    holder.join()
    assert result.status == "SUCCEEDED"
    (warning,) = result.warnings
    assert re.match(r"No heartbeat was written for \d s: ", warning)
