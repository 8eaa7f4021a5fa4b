"""What is in the ledger from outside does nothing to whom it is shown, and can be stored."""

import json
import os
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Job
from django_runbook.jobs import Explanation
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.recording.recording import recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Run
from django_runbook.jobs.report.details import story_lines
from django_runbook.jobs.watch.explanations import explain
from django_runbook.jobs.wrapped.command import run_command
from tests.factories import AccountFactory
from tests.ops.jobs.management.printed import NOW, SLOT, failed, run
from tests.ops.text.hostile import TEXT, harmful

pytestmark = pytest.mark.django_db

STORED = TEXT.replace("\x00", "")
HOSTILE = {
    "job": STORED[:60],
    "user": STORED,
    "host": STORED,
    "reason": STORED,
    "output": f"{STORED}\n::error::x\n  ::add-mask::y\n",
    "allow_reason": STORED,
    "allow": 3,
    "parameters": {STORED: STORED},
    "change": {"model": STORED, "was": {STORED: STORED}, "to": {STORED: STORED}},
}


@pytest.fixture
def hostile(numbered, empty):
    """Write runs into the ledger whose every text is hostile."""
    numbered(1, SLOT, slot=SLOT, status="FAILED", **HOSTILE)
    numbered(2, SLOT, slot=SLOT, status="FAILED", **{**HOSTILE, "job": "expire_trials"})
    numbered(3, SLOT, **{**HOSTILE, "ci_url": f"https://ci/{STORED}"})


SHOWN = (("job_history",), ("job_history", "--job", STORED[:60]), ("show_run", "1"), ("list_jobs",))


@pytest.mark.parametrize("argv", SHOWN)
def test_no_command_prints_what_steers(hostile, argv):
    """Names, users, hosts, reasons, parameters and output: each line is one, and is harmless."""
    out = run(*argv)
    assert harmful(out) == []
    assert r"\x1b]0;title" in out
    assert out.count("\n") < 20


def test_what_is_wrong_is_told_harmlessly(hostile):
    """The reason of a run that failed."""
    _code, _said, out = failed("job_status")
    assert harmful(out) == []
    assert "WRONG  expire_trials: run 2 failed 2026-03-02T04:17Z (ev" in out


@pytest.mark.parametrize("argv", [*SHOWN, ("job_status",)])
def test_json_is_exact(hostile, argv):
    """A program gets what the ledger holds, on one line of JSON without a control character."""
    out = failed(*argv, "--json")[2] if argv == ("job_status",) else run(*argv, "--json")
    assert set(harmful(out)) <= {"##["}
    assert out.count("\n") == 1
    assert json.dumps(STORED)[1:-1] in out
    json.loads(out)


def test_a_story_is_told_harmlessly():
    """What an app says of its rows."""
    account = AccountFactory()
    told = replace(
        EXPIRE_TRIALS,
        explain=lambda _text, _now: Explanation(pk=account.pk, lines=(TEXT, TEXT), due_from=None),
    )
    lines = list(story_lines(explain(told, "x", NOW)))
    assert [harmful(line) for line in lines] == [[]] * len(lines)
    assert len([line for line in lines if "title" in line]) == 2


def test_what_no_database_can_hold_is_escaped(empty):
    """NUL and half characters, and a name that is too long, keep no job from running."""
    bad = "a\x00b\ud800" + "ü" * 300
    who = Who(user=bad, host=bad, ci_url=bad * 2, pid=7)
    opened = runs.open_run(Job(name="tidy"), Order(who=who, reason=bad, allow=3))
    runs.close(opened, "FAILED", bad, bad)
    kept = Run.objects.get(pk=opened.pk)
    shown = r"a\x00b\ud800" + "ü" * 300
    assert (kept.user, kept.host) == (shown[:150], shown[:255])
    assert kept.ci_url == (shown * 2)[:500]
    assert kept.reason == kept.output == kept.allow_reason == shown


def ran(body: str) -> Run:
    """Run this Python as a job; return its run."""
    with Path(os.devnull).open("w") as file:
        result = run_command(
            Job(name="tidy"),
            [sys.executable, "-IS", "-c", body],
            order=Order(),
            max_seconds=20,
            out=file.fileno(),
            err=file.fileno(),
        )
    return Run.objects.get(pk=result.run)


def test_output_with_nul_is_kept(empty):
    """A command that prints binary data is recorded, and shown."""
    body = r"import sys; sys.stdout.buffer.write(b'a\0b\xff\x1b[2J\n::error::x')"
    kept = ran(body)
    assert kept.output == "a\\x00b\ufffd\x1b[2J\n::error::x"
    out = StringIO()
    call_command("show_run", kept.pk, stdout=out)
    assert out.getvalue().endswith("  a\\x00b\ufffd\\x1b[2J\n  \\x3a:error::x\n")


def test_no_secret_reaches_the_ledger(empty, monkeypatch, settings):
    """Of what a command prints, neither passwords by their shape nor the process's own secrets."""
    settings.SECRET_KEY = "the/key of settings"
    monkeypatch.setenv("DEPLOY_TOKEN", "s3cr3t-of-env")
    monkeypatch.setenv("BROKER_URL", "amqp://me:hun/t@er2@host/x")
    said = (
        "postgres://me:p@ss/w0rd@host/x password=hunter22 s3cr3t-of-env hun/t@er2 "
        "the/key of settings Authorization: Bearer abcdefgh"
    )
    body = f"print('x' * 30_000); print({said!r})"
    kept = ran(body).output
    end = "postgres://me:***@host/x password=*** *** *** *** Authorization: Bearer ***\n"
    assert kept.endswith(f"x\n{end}")
    assert len(kept) == 10_000


def test_reasons_hold_no_secrets(empty):
    """What an exception says is filtered on its way into the ledger."""
    with pytest.raises(ValueError, match="no postgres"), recorded(Job(name="tidy"), Order()):
        raise ValueError("no postgres://me:p@ss/w0rd@host/x")
    assert Run.objects.get().reason == "ValueError: no postgres://me:***@host/x"
