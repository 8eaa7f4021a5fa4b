"""`list_jobs` and `job_status` print each job, what is wrong with it, and what mends that."""

import json

import pytest

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Job
from django_runbook.jobs import registry
from tests.factories import AccountFactory
from tests.ops.jobs.management.printed import CI, DAY, HOUR, SLOT, TRIAL, failed, run
from tests.ops.jobs.past_runs import JOB, paused


@pytest.fixture(autouse=True)
def _two_jobs(declare):
    """Declare a daily job that moves rows, and a weekly command."""
    weekly = Job(name="clearsessions", cron="43 3 * * 0", grace_hours=24)
    declare(JOB, weekly, registered=(EXPIRE_TRIALS,))


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


def test_list_shows_a_pause(ledger):
    """Since when, until when, who and why; the next slot is the first behind it."""
    paused(SLOT - HOUR, SLOT + 3 * DAY, reason="prices\nfirst")
    paused(SLOT, job="clearsessions")
    assert run("list_jobs").splitlines()[1:3] == [
        (
            "expire_trials  17 4 * * * UTC  2026-03-05T04:17Z  run 3 failed 2026-03-02T04:17Z, "
            f"by {CI}; paused since 2026-03-02T03:17Z until 2026-03-05T04:17Z by me@laptop "
            "(prices first)"
        ),
        (
            "clearsessions  43 3 * * 0 UTC  -                  none; paused since "
            "2026-03-02T04:17Z by me@laptop (prices)"
        ),
    ]
    assert json.loads(run("list_jobs", "--json"))[0]["paused"] == {
        "job": "expire_trials",
        "since": "2026-03-02T03:17:00+00:00",
        "until": "2026-03-05T04:17:00+00:00",
        "reason": "prices\nfirst",
        "who": "me@laptop",
        "end": "2026-03-05T04:17:00+00:00",
        "resumed_by": "",
    }


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
    numbered(7, SLOT, job="import_prices", status="FAILED", reason="no such file")
    account = AccountFactory(created=SLOT - TRIAL - HOUR)
    code, message, out = failed("job_status")
    assert (code, message) == (1, "3 of 3 job(s) need a look.")
    assert out == (
        "WRONG  expire_trials missed its slot 2026-02-22T04:17Z by 8 d 7 h (grace 6 h), "
        "and 8 after it  ->  inv jobs.run expire_trials\n"
        "WRONG  expire_trials: run 5 failed 2026-03-02T04:17Z (disk full)  ->  inv jobs.show 5\n"
        f"WRONG  expire_trials: account {account.pk} has been due since 2026-03-02T03:17Z, "
        "for 8 h 12 min, and is the oldest  ->  inv jobs.run expire_trials\n"
        "WRONG  clearsessions missed its slot 2026-03-01T03:43Z by 1 d 7 h (grace 1 d)"
        "  ->  inv jobs.run clearsessions\n"
        "WRONG  import_prices: run 7 failed 2026-03-02T04:17Z (no such file)  ->  "
        "inv jobs.show 7\n"
    )
    code, _message, out = failed("job_status", "--json")
    shown = json.loads(out)
    assert (code, shown["ok"]) == (1, False)
    first, second, _third = shown["jobs"]
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
