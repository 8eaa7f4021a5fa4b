"""`undo_run` prints what was put back, what was left, and what comes next."""

import json
import os
import signal

import pytest
from django.core.management import CommandError

from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.batches import loop
from django_runbook.jobs.batches.loop import Work
from django_runbook.jobs.models import Batch, Run
from tests.factories import AccountFactory
from tests.ops.jobs.management.printed import DAY, NOW, TRIAL, failed, run


@pytest.fixture
def expired(empty):
    """Return the number of a run that expired four accounts; the first of its batch has paid."""
    AccountFactory.create_batch(4, created=NOW - TRIAL - DAY)
    number = expire_trials(now=NOW).run
    first, *_others = Batch.objects.get(run=number).ids  # in the order in which they were changed
    Account.objects.filter(pk=first).update(status=Account.ACTIVE)
    return number


def test_undo_says_what_comes_of_it(expired):
    """What was put back, what was left and why, and when it would change again."""
    assert run("undo_run", str(expired)) == (
        f"Put back 3 of 4 row(s) that run {expired} of expire_trials changed; "
        f"this is run {expired + 1}.\n"
        "Left alone: 1 row(s), status=ACTIVE.\n"
        "3 row(s) are due now: the next run of expire_trials, at 2026-03-03T04:17Z, "
        "changes them again, unless its rule, its schedule or the rows are changed before.\n"
    )


def test_undo_as_json_is_one_object(expired):
    """The result, with what is due now and the next slot."""
    shown = json.loads(run("undo_run", str(expired), "--json"))
    assert shown.pop("seconds") >= 0
    assert shown == {
        "run": expired + 1,
        "undoes": expired,
        "job": "expire_trials",
        "status": "SUCCEEDED",
        "reason": "",
        "changed": 4,
        "restored": 3,
        "others": {"status=ACTIVE": 1},
        "left": 0,
        "warnings": [],
        "due_now": 3,
        "next_slot": "2026-03-03T04:17:00+00:00",
    }


def test_undo_is_refused_with_code_3(expired):
    """In one line; nothing is changed."""
    run("undo_run", str(expired))
    assert failed("undo_run", str(expired + 1)) == (
        3,
        f"Refused: run {expired + 1} is itself the undo of run {expired}.",
        "",
    )


def test_undo_takes_no_limits(expired):
    """--allow is for what the limits refuse; they do not look at an undo."""
    with pytest.raises(CommandError, match="unrecognized arguments: --allow=4"):
        run("undo_run", str(expired), "--allow=4")


@pytest.fixture
def slow(monkeypatch):
    """Let a batch take one row, and call ``after_batch`` behind each."""
    for name in ("FIRST_SIZE", "LARGEST_SIZE", "LARGEST_PORTABLE"):
        monkeypatch.setattr(loop, name, 1)
    commit = Work._commit
    calls = []

    def committed(self, *args):
        done = commit(self, *args)
        for call in calls:
            call()
        return done

    monkeypatch.setattr(Work, "_commit", committed)
    return calls.append


def test_undo_ends_after_its_batch_on_sigint(expired, slow, monkeypatch):
    """Exit code 4 with what was done; the same command goes on."""
    slow(lambda: os.kill(os.getpid(), signal.SIGINT))
    code, message, out = failed("undo_run", str(expired))
    assert (code, message) == (4, f"Stopped by SIGINT. 'inv jobs.undo {expired}' goes on.")
    # the first had paid: its batch put nothing back
    assert out.splitlines()[:3] == [
        (
            f"Put back 0 of 4 row(s) that run {expired} of expire_trials changed; "
            f"this is run {expired + 1}."
        ),
        "Left alone: 1 row(s), status=ACTIVE.",
        "Not looked at: 3 row(s).",
    ]
    assert Run.objects.get(pk=expired + 1).status == "STOPPED"
    monkeypatch.undo()
    again = json.loads(run("undo_run", str(expired), "--json"))
    assert (again["restored"], again["left"]) == (3, 0)


def test_undo_shows_its_batches(expired, slow):
    """A line for each at -v 2."""
    lines = run("undo_run", str(expired), "--verbosity=2").splitlines()
    assert [line.partition(" in ")[0] for line in lines[:3]] == [
        f"batch {number}: 1 row(s)" for number in (1, 2, 3)
    ]
