"""The state of the jobs at a URL: for those who know the token, and without any data of rows."""

import json

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError
from django.test import RequestFactory
from django.urls import resolve

from accounts.jobs import EXPIRE_TRIALS
from accounts.models import Account
from django_runbook.config import ConfigError, Job
from django_runbook.jobs import views
from django_runbook.jobs.database.clock import database_now
from tests.factories import AccountFactory
from tests.ops.jobs.past_runs import DAY, HOUR, JOB, TRIAL, paused, ran, since

TOKEN = "a-token-of-the-monitor"
URL = "/ops/jobs/status"


@pytest.fixture
def token(monkeypatch):
    """Let the environment hold the token."""
    monkeypatch.setenv("RUNBOOK_STATUS_TOKEN", f"{TOKEN}\n")


@pytest.fixture
def get(client, settings):
    """Return what asks the product for the page, over HTTPS."""
    settings.ALLOWED_HOSTS = ["testserver"]

    def asked(method: str = "get", authorization: str | None = f"Bearer {TOKEN}"):
        headers = {} if authorization is None else {"authorization": authorization}
        return getattr(client, method)(URL, headers=headers, secure=True)

    return asked


@pytest.mark.django_db
def test_all_is_well(get, token, declare):
    """Each job with its next slot and its last end, and 200."""
    now = database_now()
    declare(Job(name="tidy"), JOB)
    last = ran(started=now - HOUR, job="tidy")
    answer = get()
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer["Cache-Control"] == "no-store"
    facts = answer.json()
    coming = facts["jobs"][1].pop("next_slot")
    assert coming.endswith("T04:17:00Z")
    assert facts == {
        "ok": True,
        "jobs": [
            {
                "job": "tidy",
                "ok": True,
                "state": "ok",
                "findings": [],
                "paused": False,
                "next_slot": None,
                "last": {
                    "status": "SUCCEEDED",
                    "started": shown(last.started),
                    "finished": shown(last.finished),
                },
            },
            {
                "job": "expire_trials",
                "ok": True,
                "state": "ok",
                "findings": [],
                "paused": False,
                "last": None,
            },
        ],
    }


def shown(at) -> str:
    """Return a time as Django's JSON has it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.django_db
def test_findings_are_named_and_hold_no_data_of_rows(get, token, declare):
    """503 where one is not well: which findings, and neither a key, a reason nor an output."""
    declare(JOB, Job(name="tidy"), registered=(EXPIRE_TRIALS,))
    now = database_now()
    since(now - 99 * DAY)
    AccountFactory(created=now - TRIAL - 9 * DAY)
    Account.objects.update(id=987_654)
    ran(
        "FAILED",
        now - HOUR,
        reason="duplicate key: (email)=(ada@example.com) of 987654",
        output="ada@example.com",
        allow_reason="ada@example.com",
        user="ada@example.com",
    )
    paused(now - DAY, job="tidy", reason="ada@example.com", who="ada@example.com")
    answer = get()
    assert answer.status_code == 503
    assert answer["Cache-Control"] == "no-store"
    facts = answer.json()
    assert [
        (job["job"], job["ok"], job["state"], job["findings"], job["paused"])
        for job in facts["jobs"]
    ] == [
        ("expire_trials", False, "failed", ["missed", "failed", "overdue"], False),
        ("tidy", True, "paused", [], True),
    ]
    assert facts["ok"] is False
    text = answer.content.decode()
    assert ("ada@" in text, "987654" in text) == (False, False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \N{SNOWMAN}",
        "Bearer \udcff",
    ],
)
def test_who_does_not_know_the_token_learns_nothing(get, token, monkeypatch, authorization):
    """401, and the jobs are not even looked at."""
    monkeypatch.setattr(views, "check", None)
    answer = get(authorization=authorization)
    assert (answer.status_code, answer.content) == (401, b"")
    assert (answer["WWW-Authenticate"], answer["Cache-Control"]) == ("Bearer", "no-store")


@pytest.mark.django_db
@pytest.mark.parametrize("value", [None, "", " \n"])
@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", f"Bearer {TOKEN}"])
def test_without_a_token_there_is_no_page(get, monkeypatch, value, authorization):
    """Closed, never open: an empty token is none."""
    monkeypatch.delenv("RUNBOOK_STATUS_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("RUNBOOK_STATUS_TOKEN", value)
    monkeypatch.setattr(views, "check", None)
    answer = get(authorization=authorization)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.django_db
def test_setting_comes_before_the_environment(get, token, settings, declare):
    """A project that keeps its secrets elsewhere sets it in its settings."""
    settings.RUNBOOK_STATUS_TOKEN = "of-the-settings"
    assert get().status_code == 401
    assert get(authorization="bearer of-the-settings").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_it_can_only_be_read(get, token, declare, method):
    """GET and HEAD; HEAD has the same code and no body."""
    assert get(method).status_code == 405
    answer = get("head")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("error", [DatabaseError("row 17"), ConfigError("row 17")])
def test_what_cannot_be_looked_at_is_not_well(monkeypatch, token, error):
    """A database that is away, or has no tables: 503, and nothing of the error."""

    def fail(now):
        raise error

    monkeypatch.setattr(views, "check", fail)
    answer = views.status(request())
    assert (answer.status_code, json.loads(answer.content)) == (503, {"ok": False})
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_nothing_to_look_at_is_no_good_news(token, declare):
    """As `inv jobs.status` has it: a file that was left behind must not look well."""
    declare()
    answer = views.status(request())
    assert (answer.status_code, json.loads(answer.content)) == (503, {"ok": False, "jobs": []})


def test_it_needs_neither_sessions_nor_users_nor_a_transaction(client, monkeypatch, token):
    """A middleware that wants a login lets it through; a request without a user is answered."""
    monkeypatch.setattr(views, "check", lambda _now: [])
    found = resolve(URL).func
    assert found.login_required is False
    assert found._non_atomic_requests == {"default"}
    answer = found(request())
    assert (answer.status_code, hasattr(request(), "user")) == (503, False)


def request() -> WSGIRequest:
    """Return a request that no middleware has seen."""
    return RequestFactory().get(URL, headers={"authorization": f"Bearer {TOKEN}"})
