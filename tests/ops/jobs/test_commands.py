"""The commands of the ledger: what they print, word for word, and their exit codes."""

import datetime
import json
import os
import signal
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder
from hypothesis import given
from hypothesis import strategies as st

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from accounts.services import expire_trials
from django_runbook.jobs import registry
from django_runbook.jobs.batches import loop
from django_runbook.jobs.batches.loop import Work
from django_runbook.jobs.management.formats import UNITS, duration
from django_runbook.jobs.models import Batch, Run, Slot
from tests.factories import AccountFactory, UserFactory

NOW = datetime.datetime(2026, 3, 2, 11, 29, 30, tzinfo=datetime.UTC)  # a Monday
SLOT = datetime.datetime(2026, 3, 2, 4, 17, tzinfo=datetime.UTC)
DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
MINUTE, SECOND = datetime.timedelta(minutes=1), datetime.timedelta(seconds=1)
TRIAL = datetime.timedelta(days=61)
EXPIRY = {
    "model": "accounts.account",
    "was": {"status": "TRIALING"},
    "to": {"status": "TRIAL_EXPIRED"},
}
CI = "https://ci.example/acme/shop/actions/runs/123456789/attempts/1"


def run(*argv: str) -> str:
    """Return what a command prints at NOW."""
    out = StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command(*argv, stdout=out)
    return out.getvalue()


def failed(*argv: str) -> tuple[int, str, str]:
    """Return exit code, message and output of a command that must fail at NOW."""
    out = StringIO()
    with time_machine.travel(NOW, tick=False), pytest.raises(CommandError) as failure:
        call_command(*argv, stdout=out)
    return failure.value.returncode, str(failure.value), out.getvalue()


class Terminal(StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def numbered(db):
    """Return what writes a run with a number into the ledger, as one of the past."""

    def made(pk: int, started: datetime.datetime, seconds: float = 1.25, **values) -> Run:
        finished = started + datetime.timedelta(seconds=seconds)
        defaults = {
            "job": "expire_trials",
            "status": "SUCCEEDED",
            "heartbeat": finished,
            "finished": None if values.get("status") == "RUNNING" else finished,
            "user": "me",
            "host": "laptop",
            "pid": 7,
            "token": f"00000000-0000-4000-8000-{pk:012}",
        }
        return Run.objects.create(pk=pk, started=started, **{**defaults, **values})

    return made


@pytest.fixture
def ledger(numbered):
    """Return a ledger with a run that was undone, one of CI that failed, and one that was lost."""
    Run.objects.all().delete()
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").update(applied=SLOT - 9 * DAY)
    first = numbered(
        1,
        SLOT - DAY,
        slot=SLOT - DAY,
        due=1_000_000,
        changed=1_000_000,
        batches=2,
        change=EXPIRY,
        allow=1_000_000,
        allow_reason="the price\nlist was late",
        parameters={"as_of": "2026-03-01T04:17:00+00:00", "cutoff": "2025-12-30T04:17:00+00:00"},
    )
    numbered(2, SLOT - HOUR, 250, undoes=first, due=1_000_000, changed=999_998, batches=2)
    numbered(3, SLOT, 0.04, slot=SLOT, status="FAILED", ci_url=CI, due=3, reason="disk\nfull")
    numbered(4, SLOT + HOUR, 61, job="tidy", status="RUNNING", output="one\ntwo\n")
    for number, ids in ((1, [5, 7, 9]), (2, [4])):
        Batch.objects.create(
            run=first, number=number, changed=len(ids), ids=ids, finished=SLOT + number * SECOND
        )


@pytest.fixture
def empty(db):
    """Let the ledger hold no run, and be older than any slot here."""
    Run.objects.all().delete()
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").update(applied=SLOT - 9 * DAY)


WIDE = """\
run  job            status     started (UTC)           took        due    changed  batches  slot, who, note
  4  tidy           LOST       2026-03-02 05:17   1 min 1 s          -          0        0  me@laptop
  3  expire_trials  FAILED     2026-03-02 04:17       0.0 s          3          0        0  slot 2026-03-02T04:17Z; https://ci.example/acme/shop/actions/runs/123456789/attempts/1; disk full
  2  expire_trials  SUCCEEDED  2026-03-02 03:17  4 min 10 s  1,000,000    999,998        2  me@laptop; undo of run 1
  1  expire_trials  SUCCEEDED  2026-03-01 04:17       1.2 s  1,000,000  1,000,000        2  slot 2026-03-01T04:17Z; me@laptop; undone by run 2; allowed 1,000,000: the price list was late
"""  # noqa: E501  # as it is printed
NARROW = """\
run  job            status     started (UTC)           took        due    changed  batches
  4  tidy           LOST       2026-03-02 05:17   1 min 1 s          -          0        0
     me@laptop
  3  expire_trials  FAILED     2026-03-02 04:17       0.0 s          3          0        0
     slot 2026-03-02T04:17Z; https://ci.example/acme/shop/actions/runs/123456789/attempts/1; disk full
  2  expire_trials  SUCCEEDED  2026-03-02 03:17  4 min 10 s  1,000,000    999,998        2
     me@laptop; undo of run 1
  1  expire_trials  SUCCEEDED  2026-03-01 04:17       1.2 s  1,000,000  1,000,000        2
     slot 2026-03-01T04:17Z; me@laptop; undone by run 2; allowed 1,000,000: the price list was late
"""  # noqa: E501  # as it is printed


def test_history_is_a_line_a_run(ledger):
    """Newest first, nothing cut; a run whose heart has stopped is lost."""
    assert run("job_history") == WIDE


def test_history_takes_a_second_line_on_a_narrow_terminal(ledger, monkeypatch):
    """Where it is wide enough, and where there is none, one line does."""
    for columns, expected in (("100", NARROW), ("300", WIDE)):
        monkeypatch.setenv("COLUMNS", columns)
        terminal = Terminal()
        call_command("job_history", stdout=terminal)
        assert terminal.getvalue() == expected
    monkeypatch.setenv("COLUMNS", "100")
    assert run("job_history") == WIDE


def test_history_tells_what_was_cut_short(ledger, numbered):
    """An undo that did not come to its end has undone a part; what goes on says with what."""
    Run.objects.filter(pk=2).update(status="STOPPED", reason="SIGTERM")
    numbered(5, SLOT + 2 * HOUR, status="STOPPED", continues_id=2, undoes_id=1)
    tails = [line[92:] for line in run("job_history").splitlines()]
    assert (tails[1], tails[4], tails[5].split("; ")[2]) == (
        "me@laptop; undo of run 1; continues run 2",
        "me@laptop; undo of run 1; SIGTERM",
        "partly undone by run 2",
    )


def test_history_can_be_of_one_job_and_shorter(ledger):
    """--job and --count."""
    assert [line[:9] for line in run("job_history", "--job=tidy").splitlines()] == [
        "run  job ",
        "  4  tidy",
    ]
    assert len(run("job_history", "--count=2").splitlines()) == 3
    assert run("job_history", "--job=nobody") == "The ledger has no run of nobody.\n"


def test_history_as_json_is_one_list(ledger):
    """With times in ISO 8601, and nothing else on the way."""
    runs = json.loads(run("job_history", "--json"))
    assert [one["run"] for one in runs] == [4, 3, 2, 1]
    assert runs[1] == {
        "run": 3,
        "job": "expire_trials",
        "slot": "2026-03-02T04:17:00+00:00",
        "status": "FAILED",
        "started": "2026-03-02T04:17:00+00:00",
        "finished": "2026-03-02T04:17:00.040000+00:00",
        "seconds": 0.04,
        "due": 3,
        "changed": 0,
        "batches": 0,
        "who": CI,
        "reason": "disk\nfull",
        "allow": None,
        "allow_reason": "",
        "continues": None,
        "undoes": None,
        "undone_by": [],
        "undone": False,
    }
    assert json.loads(run("job_history", "--json", "--job=nobody")) == []


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "x", ""])
def test_count_is_a_whole_number(count):
    """Anything else is wrong usage."""
    with pytest.raises(CommandError, match=f"'{count}' is not a whole number of at least 1"):
        call_command("job_history", f"--count={count}")


def test_empty_ledger_says_so(empty):
    """In words, and as an empty list."""
    assert run("job_history") == "The ledger has no run.\n"
    assert run("job_history", "--json") == "[]\n"


def test_list_shows_each_job(ledger):
    """Schedule, next slot and last run that was no undo; also of what is not declared."""
    assert run("list_jobs") == (
        "job            schedule        next slot          last run\n"
        "expire_trials  17 4 * * * UTC  2026-03-03T04:17Z  run 3 failed 2026-03-02T04:17Z, "
        f"by {CI}\n"
        "clearsessions  43 3 * * 0 UTC  2026-03-08T03:43Z  none\n"
        "tidy           not declared    -                  run 4 was lost 2026-03-02T05:17Z, "
        "by me@laptop\n"
    )
    found = json.loads(run("list_jobs", "--json"))
    assert [
        (job["job"], job["next_slot"], job["last"] and job["last"]["run"]) for job in found
    ] == [
        ("expire_trials", "2026-03-03T04:17:00+00:00", 3),
        ("clearsessions", "2026-03-08T03:43:00+00:00", None),
        ("tidy", None, 4),
    ]


def test_show_prints_everything(ledger):
    """One line a fact; times to the second."""
    assert run("show_run", "1") == (
        "run         1 of expire_trials\n"
        "status      SUCCEEDED\n"
        "slot        2026-03-01T04:17Z\n"
        "started     2026-03-01T04:17:00Z\n"
        "finished    2026-03-01T04:17:01Z\n"
        "took        1.2 s\n"
        "who         me@laptop, process 7\n"
        "token       00000000-0000-4000-8000-000000000001\n"
        "parameters  as_of=2026-03-01T04:17:00+00:00, cutoff=2025-12-30T04:17:00+00:00\n"
        "change      accounts.account: status TRIALING -> TRIAL_EXPIRED\n"
        "due         1,000,000\n"
        "changed     1,000,000\n"
        "batches     2 of 1 to 3 rows, from 2026-03-02T04:17:01Z to 2026-03-02T04:17:02Z\n"
        "allowed     1,000,000: the price list was late\n"
        "undone by   run 2\n"
    )
    assert run("show_run", "4") == (
        "run         4 of tidy\n"
        "status      LOST\n"
        "started     2026-03-02T05:17:00Z\n"
        "heartbeat   2026-03-02T05:18:01Z\n"
        "took        1 min 1 s\n"
        "who         me@laptop, process 7\n"
        "token       00000000-0000-4000-8000-000000000004\n"
        "changed     0\n"
        "batches     0\n"
        "next        inv jobs.run tidy\n"
        "output, its end:\n"
        "  one\n"
        "  two\n"
    )


def test_show_prints_the_keys_of_the_rows(ledger):
    """One a line in the order of the batches; with --json as one list."""
    assert run("show_run", "1", "--ids") == "5\n7\n9\n4\n"
    assert json.loads(run("show_run", "1", "--ids", "--json")) == [5, 7, 9, 4]
    assert run("show_run", "3", "--ids") == ""


def test_show_as_json_is_one_object(ledger):
    """The run as in the history, and the rest."""
    shown = json.loads(run("show_run", "1", "--json"))
    listed = json.loads(run("job_history", "--json"))[-1]
    assert {name: shown.pop(name) for name in listed} == listed
    assert shown == {
        "heartbeat": "2026-03-01T04:17:01.250000+00:00",
        "exclusive": False,
        "token": "00000000-0000-4000-8000-000000000001",
        "user": "me",
        "host": "laptop",
        "pid": 7,
        "ci_url": "",
        "parameters": {
            "as_of": "2026-03-01T04:17:00+00:00",
            "cutoff": "2025-12-30T04:17:00+00:00",
        },
        "cutoff": "2025-12-30T04:17:00+00:00",
        "change": EXPIRY,
        "sizes": {
            "smallest": 1,
            "largest": 3,
            "first": "2026-03-02T04:17:01+00:00",
            "last": "2026-03-02T04:17:02+00:00",
        },
        "output": "",
        "settled_by": None,
        "next": "",
    }


#: A heart that beats, whatever the database's clock says.
FUTURE = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("values", "step"),
    [
        ({"status": "FAILED"}, "inv jobs.run expire_trials"),
        ({"status": "STOPPED"}, "inv jobs.run expire_trials"),
        ({"status": "LOST"}, "inv jobs.run expire_trials"),
        ({"status": "REFUSED"}, "inv jobs.run expire_trials"),  # it ran alone, say
        (
            {"status": "REFUSED", "due": 800},
            'inv jobs.run expire_trials -- --allow 800 --reason "..."',
        ),
        ({"status": "STOPPED", "undoes_id": 1}, "inv jobs.undo 1"),
        ({"status": "SUCCEEDED"}, None),
        ({"status": "RUNNING", "heartbeat": FUTURE}, None),
    ],
    ids=str,
)
def test_show_names_the_next_step(ledger, numbered, values, step):
    """The command that goes on, until a later run has done so."""
    numbered(8, SLOT + HOUR, **values)
    found = [line for line in run("show_run", "8").splitlines() if line.startswith("next")]
    assert found == ([f"next        {step}"] if step else [])
    numbered(9, SLOT + HOUR, undoes_id=values.get("undoes_id"))
    found = [line for line in run("show_run", "8").splitlines() if line.startswith("next")]
    assert found == (["next        nothing: run 9 has succeeded since"] if step else [])


def test_unknown_run_is_one_line(empty):
    """With the place to look; exit code 1."""
    message = "There is no run 7. See 'inv jobs.history'."
    assert failed("show_run", "7") == (1, message, "")
    assert failed("show_run", "7", "--ids") == (1, message, "")
    assert failed("undo_run", "7") == (1, message, "")


READERS = [
    ("list_jobs",),
    ("job_history",),
    ("show_run", "1"),
    ("job_status",),
    ("explain_job", "ada"),
]


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("argv", READERS, ids=" ".join)
def test_ledger_without_tables_is_refused(db, argv):
    """The migration is named; another app's that is missing does not matter to who only reads."""
    AccountFactory(user__username="ada")
    Run.objects.create(pk=1, job="expire_trials")
    MigrationRecorder.Migration.objects.filter(app="users", name="0003_profile").delete()
    run(*argv)
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").delete()
    message = "runbook_jobs.0001_initial is not applied. Run 'inv db.migrate' first."
    assert failed(*argv) == (3, message, "")


def test_status_has_a_line_for_each_job_that_is_well(empty, numbered):
    """Exit code 0."""
    numbered(5, SLOT, slot=SLOT)
    numbered(6, SLOT - DAY, job="clearsessions")
    assert run("job_status") == (
        "OK     expire_trials: run 5 succeeded 2026-03-02T04:17Z; next slot 2026-03-03T04:17Z\n"
        "OK     clearsessions: run 6 succeeded 2026-03-01T04:17Z; next slot 2026-03-08T03:43Z\n"
    )
    assert json.loads(run("job_status", "--json"))["ok"] is True


def test_status_has_a_line_for_each_finding(empty, numbered):
    """What was missed, what failed, what is overdue, each with what mends it; exit code 1."""
    numbered(5, SLOT, slot=SLOT, status="FAILED", reason="disk\nfull")
    numbered(6, SLOT - DAY - HOUR, job="clearsessions")
    account = AccountFactory(created=SLOT - TRIAL - HOUR)
    code, message, out = failed("job_status")
    assert (code, message) == (1, "2 of 2 job(s) need a look.")
    assert out == (
        "WRONG  expire_trials missed its slot 2026-02-22T04:17Z by 8 d 7 h (grace 6 h), "
        "and 8 after it  ->  inv jobs.run expire_trials\n"
        "WRONG  expire_trials: run 5 failed 2026-03-02T04:17Z (disk full)  ->  inv jobs.show 5\n"
        f"WRONG  expire_trials: account {account.pk} has been due since 2026-03-02T03:17Z, "
        "for 8 h 12 min, and is the oldest  ->  inv jobs.run expire_trials\n"
        "WRONG  clearsessions missed its slot 2026-03-01T03:43Z by 1 d 7 h (grace 1 d)"
        "  ->  inv jobs.run clearsessions\n"
    )
    code, _message, out = failed("job_status", "--json")
    shown = json.loads(out)
    assert (code, shown["ok"]) == (1, False)
    first, second = shown["jobs"]
    assert first["missed"] == {
        "slot": "2026-02-22T04:17:00+00:00",
        "late": 717150.0,
        "more": 8,
    }
    assert (first["failed"]["run"], first["overdue"]["pk"]) == (5, account.pk)
    assert first["overdue"]["age"] == 29550.0
    assert (second["failed"], second["overdue"], second["grace"]) == (None, None, 86400.0)


def test_status_of_one_missed_slot(empty, numbered):
    """By how much, and the grace."""
    numbered(5, SLOT - DAY)
    numbered(6, SLOT, job="clearsessions")
    code, message, out = failed("job_status")
    assert (code, message) == (1, "1 of 2 job(s) need a look.")
    assert out.splitlines()[0] == (
        "WRONG  expire_trials missed its slot 2026-03-02T04:17Z by 7 h 12 min (grace 6 h)"
        "  ->  inv jobs.run expire_trials"
    )


def test_status_without_a_job_is_no_good_news(empty, monkeypatch):
    """A file that was left behind must not look as if all were well."""
    monkeypatch.setattr(registry, "of_settings", lambda: None)
    monkeypatch.setattr(registry, "_registered", {})
    message = (
        "No job is declared under [tool.django-runbook.jobs] of pyproject.toml, and no app "
        "registers one: nothing was looked at."
    )
    assert failed("job_status") == (1, message, "")
    assert failed("job_status", "--json") == (1, message, '{"ok": false, "jobs": []}\n')
    assert run("list_jobs").splitlines()[1:] == [
        "No job is declared under [tool.django-runbook.jobs] of pyproject.toml."
    ]


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


def test_slot_of_a_run_is_kept_with_it(numbered):
    """The name of a slot is the one that every command prints."""
    slot = Slot.objects.create(job="expire_trials", at=SLOT, run=numbered(5, SLOT))
    assert str(slot) == "expire_trials 2026-03-02T04:17Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.26, "0.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (61.9, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (25_920, "7 h 12 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (1e8, "1157 d 9 h"),
    ],
)
def test_duration_has_two_units(seconds, text):
    """The two largest; what is smaller is left out, and so is a zero."""
    assert duration(seconds) == text
    assert duration(datetime.timedelta(seconds=seconds)) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_duration_says_never_more_and_hardly_less(seconds):
    """Read back, it is right to within its smaller unit."""
    sizes = {unit: size for size, unit in UNITS}
    words = duration(seconds).split()
    pairs = [
        (float(number), sizes[unit]) for number, unit in zip(words[::2], words[1::2], strict=True)
    ]
    told = sum(number * size for number, size in pairs)
    units = [size for size, _unit in UNITS]
    smaller = units[min(units.index(pairs[0][1]) + 1, len(units) - 1)]
    assert told - 0.05001 <= seconds < told + smaller + 0.05001
    assert len(pairs) <= 2
