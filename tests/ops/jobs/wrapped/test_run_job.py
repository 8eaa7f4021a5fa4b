"""Any management command as a job."""

import datetime
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import FailedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.wrapped import process, pulse
from django_runbook.jobs.wrapped.command import run_command
from tests.commands import Commands
from tests.ops.jobs.wrapped.conftest import JOB, said

pytestmark = [pytest.mark.django_db, pytest.mark.engines("sqlite")]


def test_output_comes_through_and_its_end_is_kept(run, files):
    """Both streams are handed on unchanged; the ledger keeps the last 10,000 bytes, no password."""
    body = "import sys; print('x' * 20_000); print('see https://me:hunter2@host/', file=sys.stderr)"
    result = run(body)
    assert (result.status, result.code, result.reason) == ("SUCCEEDED", 0, "")
    assert said(files[0]) == "x" * 20_000 + "\n"
    assert said(files[1]) == "see https://me:hunter2@host/\n"
    kept = Run.objects.get(pk=result.run).output
    assert 9_000 < len(kept) <= 10_000
    assert "hunter2" not in kept


@pytest.mark.parametrize(
    ("own", "code", "status"),
    [
        (True, 0, "SUCCEEDED"),
        (True, 1, "FAILED"),
        (True, 3, "REFUSED"),
        (True, 4, "STOPPED"),
        (False, 0, "SUCCEEDED"),
        (False, 3, "FAILED"),
        (False, 4, "FAILED"),
        (False, 7, "FAILED"),
    ],
)
def test_exit_code_comes_through_and_says_the_status(run, own, code, status):
    """3 and 4 mean what they do where the command is one of the kit's; else they are failures."""
    result = run(f"raise SystemExit({code})", own=own)
    assert (result.code, result.status) == (code, status)
    assert result.reason == (f"exit code {code}" if code else "")
    assert Run.objects.get().status == status


def test_command_knows_its_run(run, files):
    """RUNBOOK_RUN is the number of the run and its token, so that the command can use it."""
    result = run("import os; print(os.environ['RUNBOOK_RUN'])")
    assert said(files[0]) == f"{result.run}:{Run.objects.get().token}\n"


def test_command_that_takes_too_long_is_ended(run, files):
    """SIGTERM at the end of its time; the ledger says why."""
    result = run("import time; time.sleep(60)", max_seconds=0.3)
    assert (result.status, result.code) == ("FAILED", 143)
    assert result.reason == "it took longer than 0.005 min"


@pytest.mark.slow
def test_command_that_does_not_end_is_killed_with_its_children(run, files, monkeypatch):
    """SIGKILL follows, to the whole group."""
    monkeypatch.setattr(process, "KILL_SECONDS", 0.3)
    ticks = f"import time\nwhile True: open({files[1].name!r}, 'a').write('.'); time.sleep(0.05)"
    body = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen([sys.executable, '-IS', '-c', {ticks!r}])\n"
        "time.sleep(60)"
    )
    result = run(body, max_seconds=1)
    assert (result.status, result.code) == ("FAILED", 137)
    ticked = said(files[1])
    time.sleep(0.3)
    assert said(files[1]) == ticked != ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_command(run, files, number):
    """It ends as it likes: here with exit code 4, stopped early."""
    body = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(4))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )

    def send() -> None:
        while not said_by(files[0].name):
            time.sleep(0.02)
        os.kill(os.getpid(), number)

    threading.Thread(target=send).start()
    result = run(body, own=True)
    assert (result.status, result.code, result.reason) == ("STOPPED", 4, "exit code 4")


def said_by(name: str) -> str:
    """Return what stands in a file, without moving another's position."""
    return Path(name).read_text("utf-8")


def test_reader_that_has_gone_does_not_end_the_command(run, files):
    """A closed pipe loses the output and not the job."""
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-IS", "-c", "print('x'); print('y'); raise SystemExit(0)"]
    result = run_command(
        JOB, argv, order=Order(), max_seconds=20, out=writer, err=files[1].fileno()
    )
    os.close(writer)
    assert (result.status, Run.objects.get().output) == ("SUCCEEDED", "x\ny\n")


@pytest.mark.slow
@pytest.mark.engines("sqlite", "postgresql")
def test_heart_beats_while_the_command_runs(run, shared_url, monkeypatch):
    """A long command is not taken for lost."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.2)
    old = datetime.timedelta(minutes=1)
    opened = runs.open_run

    def long_ago(*args, **values):
        run = opened(*args, **values)
        Run.objects.filter(pk=run.pk).update(heartbeat=Now() - old)
        return run

    monkeypatch.setattr(runs, "open_run", long_ago)
    result = run("import time; time.sleep(0.6)")
    recorded = Run.objects.get(pk=result.run)
    assert recorded.heartbeat - recorded.started < datetime.timedelta(seconds=30)
    assert recorded.heartbeat >= recorded.started


@pytest.mark.slow
@pytest.mark.engines("sqlite", "postgresql")
def test_run_that_was_taken_for_lost_ends_its_command(run, shared_url, monkeypatch):
    """Two must not do it: whoever wakes up late is ended."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.2)
    opened = runs.open_run

    def taken(*args, **values):
        run = opened(*args, **values)
        Run.objects.filter(pk=run.pk).update(status=Status.LOST)
        return run

    monkeypatch.setattr(runs, "open_run", taken)
    start = time.monotonic()
    with pytest.raises(FailedError, match="was taken for lost; another goes on"):
        run("import time; time.sleep(60)")
    assert time.monotonic() - start < 10
    assert Run.objects.get().status == Status.LOST


@pytest.mark.slow
def test_second_user_is_clearsessions(commands: Commands, database_url):
    """Django's own command, unchanged: once for its slot; the late one is told, exit code 0."""
    argv = ("run_job", "clearsessions", "--slot", "latest")
    first = commands.manage(*argv, DATABASE_URL=database_url)
    assert (first.code, first.out) == (0, "")
    assert first.err.startswith("Run 1 of clearsessions: succeeded after ")
    second = commands.manage(*argv, "--json", DATABASE_URL=database_url)
    answer = json.loads(second.out)
    reason = answer.pop("reason")
    assert (second.code, second.err) == (0, "")
    assert datetime.datetime.fromisoformat(answer.pop("slot")).isoweekday() == 7
    assert answer == {"job": "clearsessions", "status": "TAKEN", "run": 1}
    assert ": already done by run 1 (" in reason


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_expire_trials_uses_the_run_around_it(commands: Commands, database_url):
    """One run, with the slot of the job and the rows of the command; JSON and nothing else."""
    samples = ("create_sample_accounts", "--count=400")
    assert commands.manage(*samples, DATABASE_URL=database_url).code == 0
    argv = ("run_job", "expire_trials", "--slot=latest", "--json", "--", "-v", "2")
    done = commands.manage(*argv, DATABASE_URL=database_url)
    result = json.loads(done.out)
    assert (done.code, result["status"], result["run"]) == (0, "SUCCEEDED", 1)
    assert result["due"] == result["changed"] > 0
    assert result["next_slot"].endswith("T04:17:00+00:00")
    assert done.err.startswith("Search for old trial accounts...\nbatch 1: ")
    dry = commands.manage(*argv, "--dry-run", DATABASE_URL=database_url)
    found = json.loads(dry.out)
    assert (dry.code, dry.err, found["dry_run"], found["due"], found["run"]) == (
        0,
        "",
        True,
        0,
        None,
    )
    history = "from django_runbook.jobs.models import Run; print(Run.objects.count())"
    counted = commands.manage("shell", "--no-imports", "-c", history, DATABASE_URL=database_url)
    assert counted.out == "1\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["clear_sessions"],
            "There is no management command 'clear_sessions'. Did you mean clearsessions?",
        ),
        (
            ["check", "--slot=latest"],
            "check has no slots: give it a cron under [tool.django-runbook.jobs.check].",
        ),
        *(
            (
                ["expire_trials", f"--slot={text}"],
                (
                    f"--slot {text} is no slot of expire_trials that has come "
                    "(cron 17 4 * * *, UTC). The newest is 2026-03-01T04:17Z."
                ),
            )
            for text in ("soon", "2026-03-01T04:18Z", "2026-03-02T04:17Z", "")
        ),
    ],
)
def test_wrong_usage_is_one_line(argv, message):
    """Exit code 2, and what is allowed; nothing is recorded."""
    now = datetime.datetime(2026, 3, 1, 5, 0, tzinfo=datetime.UTC)
    with time_machine.travel(now, tick=False), pytest.raises(CommandError) as wrong:
        call_command("run_job", *argv)
    assert (str(wrong.value), wrong.value.returncode) == (message, 2)
    assert not Run.objects.exists()
