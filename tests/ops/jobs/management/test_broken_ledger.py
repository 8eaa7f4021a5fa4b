"""Rows of the ledger that are broken: what reads them prints what it can, or ends in one line."""

import datetime
import json
from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.models import Batch, Run
from tests.factories import AccountFactory
from tests.ops.jobs import shelf
from tests.ops.jobs.management.printed import DAY, TRIAL, failed, run

MINUTE = datetime.timedelta(minutes=1)
#: What somebody may have written into a column of JSON.
JUNK = [True, 3, 1.5, "x\ny", "\x1b[2J", [], ["x"], [[1]], {"a": {"b": 1}}, {"was": 1}]
READS = [
    ("show_run", "1"),
    ("show_run", "1", "--json"),
    ("job_history",),
    ("job_history", "--json"),
    ("job_status",),
    ("list_jobs",),
]


@pytest.mark.slow
@pytest.mark.parametrize("value", JUNK, ids=repr)
@pytest.mark.parametrize("column", ["change", "parameters", "arguments", "cursor"])
def test_broken_run_is_shown(ledger, column, value):
    """Nobody must mend the ledger before they can look at it: no command fails, or steers."""
    Run.objects.filter(pk=1).update(**{column: value})
    for argv in READS:
        out = StringIO()
        with suppress(CommandError):  # of job_status, where a job is not well
            call_command(*argv, stdout=out)
        assert out.getvalue()
        assert "\x1b" not in out.getvalue()
        if "--json" in argv:
            json.loads(out.getvalue())


def test_broken_change_and_parameters_are_said(ledger):
    """Each on its line."""
    Run.objects.filter(pk=1).update(change=["x"], parameters=[1])
    lines = run("show_run", "1").splitlines()
    assert "parameters  (broken in the ledger)" in lines
    assert "change      (broken in the ledger)" in lines


@pytest.mark.parametrize("keys", ["abc", 3, True, {"a": 1}, None])
def test_keys_that_are_no_list_are_one_line(ledger, keys):
    """Exit code 1, and which batch it is."""
    Batch.objects.filter(run=1, number=1).update(numbers=None, keys=keys)
    assert failed("show_run", "1", "--ids") == (1, "batch 1 of run 1 holds no list of keys", "")


def test_story_says_where_the_ledger_is_broken(ledger):
    """What can be told is told."""
    account = AccountFactory(status=Account.ACTIVE)
    Batch.objects.filter(run=1, number=1).update(numbers=[account.pk], changed=1)
    Run.objects.filter(pk=1).update(model="accounts.account", change=7)
    story = run("explain_job", str(account.pk)).splitlines()
    assert (
        "Run 1 of expire_trials changed it at 2026-03-02T04:17:01Z: (broken in the ledger)."
        in story
    )


@pytest.mark.usefixtures("shelf")
@pytest.mark.engines("sqlite", "postgresql")
def test_run_shows_which_fields_it_computed():
    """What each row was and became stands in its batches."""
    shelf.Item.objects.create(name="ann")

    def capital(rows):
        for row in rows:
            row.name = "Ann"

    moved = shelf.job(
        due=lambda _cutoff: shelf.Item.objects.filter(name="ann"), fill=capital, fields=("name",)
    )
    number = shelf.go(moved).run
    assert "change      users.item: name row by row" in run("show_run", str(number)).splitlines()


STOPPED = {
    "parameters": {"as_of": "2026-03-01T04:17:00+00:00", "cutoff": "2025-12-30T04:17:00+00:00"}
}
UNREADABLE = "no time and cutoff that can be read"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ([1], UNREADABLE),
        ("x", UNREADABLE),
        ({}, UNREADABLE),
        ({**STOPPED["parameters"], "cutoff": "soon"}, UNREADABLE),
        ({**STOPPED["parameters"], "cutoff": 3}, UNREADABLE),
        ({**STOPPED["parameters"], "as_of": None}, UNREADABLE),
        ({**STOPPED["parameters"], "cutoff": "2025-12-30T04:17:00"}, UNREADABLE),
        (
            {**STOPPED["parameters"], "cutoff": "2099-12-30T04:17:00+00:00"},
            "a cutoff for which it is too early (2099-12-30T04:17:00+00:00)",
        ),
        (
            {**STOPPED["parameters"], "as_of": "2099-12-30T04:17:00+00:00"},
            "a cutoff for which it is too early (2025-12-30T04:17:00+00:00)",
        ),
    ],
)
def test_forged_cutoff_is_not_gone_on_with(empty, monkeypatch, parameters, what):
    """Refused in one line; the way on that it names is true."""
    monkeypatch.setattr("django_runbook.jobs.database.clock.MOST_SKEW", MINUTE)
    now = timezone.now()
    account = AccountFactory(created=now - TRIAL - DAY)
    young = AccountFactory(created=now - TRIAL + DAY)
    stopped = Run.objects.create(
        job="expire_trials",
        status="STOPPED",
        due=2,
        parameters=parameters,
        **EXPIRE_TRIALS.change.recorded(),
    )
    with pytest.raises(RefusedError) as refusal:
        expire_trials(now=now)
    assert str(refusal.value) == (
        f"Refused: run {stopped.pk}, which this one would go on from, has {what} in the ledger; "
        "nothing was changed. With --as-of TIME a run does not go on from it."
    )
    done = expire_trials(now=now, as_of=now)
    assert (done.status, done.expired, done.continues) == ("SUCCEEDED", 1, None)
    account.refresh_from_db()
    young.refresh_from_db()
    assert (account.status, young.status) == (Account.TRIAL_EXPIRED, Account.TRIALING)
