"""`undo_run` prints what was put back, what was left, and what comes next."""

import contextlib
import json
import os
import signal
import sqlite3

import pexpect
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
        "Left alone: 1 row(s): 1 status=ACTIVE.\n"
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
        "owners": {},
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


def test_undo_names_the_runs_that_own_the_most_rows(empty):
    """One line for all that was left alone, however many runs there are."""
    accounts = AccountFactory.create_batch(12, created=NOW - TRIAL - DAY)
    number = expire_trials(now=NOW).run
    keys = [account.pk for account in accounts]
    later = [expired_again(keys[:2])]
    later += [expired_again([key]) for key in keys[2:6]]
    later.append(expired_again(keys[6:9]))
    Account.objects.filter(pk__in=keys[9:11]).update(status=Account.ACTIVE)
    Account.objects.get(pk=keys[11]).delete()
    lines = run("undo_run", str(number)).splitlines()
    named = f"runs {later[0]}, {later[1]}, {later[5]} and 3 more"
    assert lines == [
        (
            f"Put back 0 of 12 row(s) that run {number} of expire_trials changed; "
            f"this is run {later[5] + 1}."
        ),
        f"Left alone: 12 row(s): 9 changed again by {named}, 2 status=ACTIVE, 1 gone.",
    ]


def expired_again(keys):
    """Return the run that expired these accounts again."""
    Account.objects.filter(pk__in=keys).update(status=Account.TRIALING)
    return expire_trials(now=NOW).run


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("change", ["x"], "the change of run {run} is no object"),
        ("model", "x\ny", "the change of run {run} is of another model than the run"),
    ],
)
def test_broken_ledger_is_one_line(expired, column, value, shown):
    """With exit code 3; nothing is changed."""
    Run.objects.filter(pk=expired).update(**{column: value})
    assert failed("undo_run", str(expired)) == (
        3,
        (
            f"Refused: the ledger is broken: {shown.format(run=expired)}. "
            f"Run {expired} cannot be undone; nothing was changed."
        ),
        "",
    )


@pytest.fixture
def expired_url(commands, database_url):
    """Return the URL of a database in which run 1 expired some of 300 accounts."""
    env = {"DATABASE_URL": database_url}
    assert commands.manage("create_sample_accounts", "--count=300", **env).code == 0
    assert commands.manage("expire_trials", **env).code == 0
    return database_url


@pytest.mark.slow
@pytest.mark.engines("sqlite", "postgresql")
def test_undo_shows_what_it_would_do_before_it_asks(commands, expired_url):
    """On a terminal: run, model, fields, from what to what, rows, target; any other word is no."""
    name = expired_url.partition("?")[0].rpartition("/")[2]
    env = {"DATABASE_URL": expired_url, "ENVIRONMENT": "production", "COLUMNS": "200"}
    rows = json.loads(commands.manage("show_run", "1", "--json", **env).out)["changed"]
    for answer, code in (("no", 3), (name, 0)):
        terminal = commands.terminal("jobs.undo", "1", **env)
        terminal.expect_exact(
            "Undo run 1 of expire_trials: accounts.account, status TRIAL_EXPIRED -> TRIALING, "
            f"{rows} row(s) in 1 batch, in: production "
        )
        terminal.expect_exact(f"Type {name} to go on: ")
        terminal.sendline(answer)
        if code:
            terminal.expect_exact(f"Refused: 'no' is not {name}; nothing was changed.")
        else:
            terminal.expect_exact(f"Put back {rows} of {rows} row(s) that run 1")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == code


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_refused_undo_asks_nothing(commands, expired_url):
    """What does not fit the code is refused before the name of the database is asked for."""
    with contextlib.closing(sqlite3.connect(expired_url.removeprefix("sqlite:///"))) as connection:
        connection.execute(
            "UPDATE runbook_jobs_run SET change = json_set(change, '$.to.status', 'X')"
        )
        connection.commit()
    env = {"DATABASE_URL": expired_url, "ENVIRONMENT": "production"}
    done = commands.inv("jobs.undo", "1", **env)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "CommandError: Refused: run 1 made another change than expire_trials registers "
        "(to {'status': 'X'} in the ledger, {'status': 'TRIAL_EXPIRED'} in the code); nothing was "
        "changed. If a release before made it, name it in the transition's undoes.\n"
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
        "Left alone: 1 row(s): 1 status=ACTIVE.",
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
