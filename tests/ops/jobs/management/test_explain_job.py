"""`explain_job` prints where a row stands, what runs did to it, and when it will change."""

import json
from io import StringIO

from django.core.management import call_command

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs import registry
from django_runbook.jobs.models import Batch
from tests.factories import AccountFactory, UserFactory
from tests.ops.jobs.management.printed import DAY, HOUR, NOW, SLOT, failed, run


def test_explain_of_a_trial(empty):
    """Where it stands, what no run did, and when it will change."""
    account = AccountFactory(user__username="ada", created=SLOT - 30 * DAY)
    assert run("explain_job", "ada") == (
        f"Account {account.pk} of ada is TRIALING.\n"
        "It was created 2026-01-31 04:17 UTC: 60 day(s) of trial end 2026-04-01 04:17, "
        "1 more of grace 2026-04-02 04:17.\n"
        "It is not due before.\n"
        "No run in the ledger has changed it.\n"
        "expire_trials will change it at 2026-04-02T04:17Z, as it stands.\n"
    )


def test_explain_of_a_row_that_was_put_back(empty):
    """Both runs are told with their times, newest first."""
    account = AccountFactory(user__username="ada", user__email="ada@example.com", created=SLOT)
    Account.objects.update(created=SLOT - 70 * DAY)
    first = expire_trials(now=NOW).run
    call_command("undo_run", str(first), stdout=StringIO())
    Batch.objects.filter(run=first).update(finished=SLOT)
    Batch.objects.exclude(run=first).update(finished=SLOT + HOUR)
    expected = (
        f"Account {account.pk} of ada is TRIALING.\n"
        "It was created 2025-12-22 04:17 UTC: 60 day(s) of trial end 2026-02-20 04:17, "
        "1 more of grace 2026-02-21 04:17.\n"
        "That is over: it is due.\n"
        f"Run {first + 1} of expire_trials took run {first} back at 2026-03-02T05:17:00Z: "
        "status TRIAL_EXPIRED -> TRIALING.\n"
        f"Run {first} of expire_trials changed it at 2026-03-02T04:17:00Z: "
        "status TRIALING -> TRIAL_EXPIRED.\n"
        "expire_trials will change it at 2026-03-03T04:17Z, as it stands.\n"
    )
    for key in (str(account.pk), "ada", "Ada@Example.com"):
        assert run("explain_job", key, "--job=expire_trials") == expected
    shown = json.loads(run("explain_job", "ada", "--json"))
    assert (shown["pk"], shown["due_from"], shown["next_slot"]) == (
        account.pk,
        "2026-02-21T04:17:00+00:00",
        "2026-03-03T04:17:00+00:00",
    )
    assert [change["run"] for change in shown["changes"]] == [first + 1, first]


def test_explain_of_who_pays(empty):
    """No run will change it."""
    account = AccountFactory(user__username="ada", status=Account.ACTIVE)
    assert run("explain_job", "ada") == (
        f"Account {account.pk} of ada is ACTIVE.\n"
        "Only accounts that are TRIALING expire.\n"
        "No run in the ledger has changed it.\n"
        "As it stands, no run of expire_trials will change it.\n"
    )


def test_explain_of_a_job_without_a_schedule(empty, monkeypatch):
    """There is no time to name."""
    AccountFactory(user__username="ada", created=SLOT)
    monkeypatch.setattr(registry, "of_settings", lambda: None)
    assert run("explain_job", "ada").splitlines()[-1] == (
        "The next run of expire_trials after that will change it; it has no schedule."
    )


def test_explain_finds_one_account_or_says_why_not(empty):
    """By number first; a name that nobody or several have is one line with exit code 1."""
    first, second = (AccountFactory(user__email="both@example.com") for _ in range(2))
    named = UserFactory(username=str(first.pk)).account
    assert run("explain_job", str(first.pk)).startswith(f"Account {first.pk} of {first.user} ")
    assert run("explain_job", str(named.pk)).startswith(f"Account {named.pk} of {first.pk} ")
    assert failed("explain_job", "both@example.com") == (
        1,
        f"Several accounts answer to 'both@example.com': {first.pk}, {second.pk}. Give the number.",
        "",
    )
    for nobody in ("nobody", "9" * 30, ""):
        assert failed("explain_job", nobody) == (
            1,
            f"No account answers to '{nobody}'. Give an account's number, its user's name or mail.",
            "",
        )


def test_explain_asks_which_job_where_several_explain(empty, monkeypatch):
    """Wrong usage, with their names."""
    AccountFactory(user__username="ada")
    both = {"expire_trials": EXPIRE_TRIALS, "warn_trials": EXPIRE_TRIALS}
    monkeypatch.setattr(registry, "_registered", both)
    which = "these do: expire_trials, warn_trials."
    assert failed("explain_job", "ada") == (2, f"Say --job NAME; {which}", "")
    assert failed("explain_job", "ada", "--job=x") == (
        2,
        f"x does not explain its rows; {which}",
        "",
    )
    assert run("explain_job", "ada", "--job=warn_trials").startswith("Account ")
    monkeypatch.setattr(registry, "_registered", {})
    assert failed("explain_job", "ada") == (2, "Say --job NAME; none does.", "")
