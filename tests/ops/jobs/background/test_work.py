"""What a worker does with an errand: a process of its own, and what comes of it."""

import os
import signal
import sys
import threading
import time
import uuid

import psutil
import pytest

from django_runbook.config import ConfigError
from django_runbook.jobs.background import program as programs
from django_runbook.jobs.background import work as module
from django_runbook.jobs.errors import FailedError
from django_runbook.jobs.models import Run
from tests.commands import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.engines("sqlite")]

TOKEN = uuid.UUID("12345678-1234-4234-8234-123456789abc")
SAYS = "import os, sys; print('first'); print(sys.argv[1:], os.environ['RUNBOOK_BY'])"
#: The function of the task, whichever backend there is.
work = getattr(module.work, "func", module.work)


@pytest.fixture
def says(monkeypatch):
    """Return what lets the program be one that says something and ends."""

    def set_to(code):
        words = [sys.executable, "-c", f"{SAYS}; sys.exit({code})"]
        monkeypatch.setattr(module, "program", lambda: words)

    return set_to


def done(command="run_job", subject="tidy", words=()):
    """Do an errand of ada's."""
    return work(command=command, subject=subject, by="ada", token=str(TOKEN), words=list(words))


@pytest.mark.parametrize("code", [3, 4])
def test_code_and_last_line_are_told(says, code):
    """Refused and stopped are ends, not failures."""
    says(code)
    line = f"['run_job', 'tidy', '--token', '{TOKEN}'] ada"
    assert done() == {"code": code, "run": None, "line": line}


@pytest.mark.parametrize(
    ("command", "subject", "words", "given"),
    [
        (
            "run_job",
            "tidy",
            ["--allow=3"],
            ["run_job", "tidy", "--token", str(TOKEN), "--", "--allow=3"],
        ),
        ("undo_run", "7", [], ["undo_run", "7", "--token", str(TOKEN)]),
        (
            "undo_run",
            "7",
            ["--confirm", "shop"],
            ["undo_run", "7", "--token", str(TOKEN), "--confirm", "shop"],
        ),
    ],
)
def test_words_go_to_the_command(says, command, subject, words, given):
    """A job's own behind the two dashes, an undo's before."""
    says(3)
    assert done(command, subject, words)["line"] == f"{given} ada"


def test_run_of_the_token_is_told(says):
    """Its number, and how it came out in the ledger."""
    run = Run.objects.create(job="tidy", token=TOKEN, status="SUCCEEDED")
    says(0)
    assert done() == {"code": 0, "run": run.pk, "line": f"Run {run.pk} of tidy: succeeded"}


@pytest.mark.parametrize("code", [1, 2, 7, 127])
def test_failure_is_raised_in_one_line(says, code):
    """For the backend to write down."""
    says(code)
    with pytest.raises(FailedError) as told:
        done()
    assert str(told.value) == f"['run_job', 'tidy', '--token', '{TOKEN}'] ada"


def test_queue_can_start_nothing_else(says):
    """Whoever writes into it gets no other command."""
    says(0)
    with pytest.raises(FailedError, match=r"^flush is nothing that a worker does\.$"):
        done("flush")


def test_program_is_the_declared_one(monkeypatch):
    """Else Django's, without a folder in front of the path; never the worker's own."""
    assert programs.program() == [sys.executable, str(ROOT / "backend/manage.py")]
    alone = [sys.executable, "-P", "-m", "django"]
    monkeypatch.setattr(programs, "of_settings", lambda: None)
    assert programs.program() == alone

    def wrong():
        raise ConfigError("wrong")

    monkeypatch.setattr(programs, "of_settings", wrong)
    assert programs.program() == alone


def test_environment_is_of_no_run(monkeypatch):
    """A worker that is a job itself hands on its settings and its path, not its run."""
    monkeypatch.setenv("RUNBOOK_RUN", "3:abc")
    monkeypatch.setenv("RUNBOOK_SLOT", "2026-03-01T04:17:00+00:00")
    env = programs.environment("ada", ["python", "-P", "-m", "django"])
    expected = {name: value for name, value in os.environ.items() if name[:8] != "RUNBOOK_"}
    expected |= {name: os.environ[name] for name in env if name.startswith("RUNBOOK_TEST")}
    assert env == {
        **expected,
        "RUNBOOK_BY": "ada",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }


def test_worker_that_is_told_to_end_ends_the_command():
    """First as an operator would, so that a run stops after its batch."""
    body = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); time.sleep(60)"
    me, mine = os.getpid(), psutil.Process()

    def tell():
        while not any("sys.exit(0)" in " ".join(one.cmdline()) for one in below(mine)):
            time.sleep(0.05)
        time.sleep(0.3)
        os.kill(me, signal.SIGINT)

    threading.Thread(target=tell).start()
    with pytest.raises(KeyboardInterrupt):
        programs.supervised([sys.executable, "-c", body], dict(os.environ))
    assert below(mine) == []


def below(process):
    """Return the processes that this one has started and that are no zombies."""
    children = process.children(recursive=True)
    return [one for one in children if one.status() != psutil.STATUS_ZOMBIE]
