"""A notice goes by mail and to a webhook, at once, within the deadline, and without secrets."""

import json
import threading
import time

import pytest
from django.core import mail

from django_runbook.config import Config, Notify
from django_runbook.jobs.notify import errands, notices
from django_runbook.jobs.notify.notices import Notice, Ways, tell
from tests.commands import ROOT

NOTICE = Notice(
    event="failed",
    job="expire_trials",
    run=12,
    lines=("expire_trials: run 12 failed", "Run by me@laptop.", "inv jobs.show 12"),
)
TEXT = "production: expire_trials: run 12 failed\nRun by me@laptop.\ninv jobs.show 12"


@pytest.fixture(autouse=True)
def _production(settings):
    """Let mail go out as from a server in production."""
    settings.ENVIRONMENT = "production"
    settings.EMAIL_SUBJECT_PREFIX = "[shop] "
    settings.SERVER_EMAIL = "server@shop.example"


@pytest.fixture
def smtp(mails, settings):
    """Let Django's mail go to a real server."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mails.port
    return mails


def test_mail_is_sent_as_django_sends_its_own():
    """From and with the subject of the mails to the admins; the body says what to do."""
    assert tell(NOTICE, Ways(mail=("ops@example.org", "me@example.org"))) == []
    (sent,) = mail.outbox
    assert sent.subject == "[shop] production: expire_trials: run 12 failed"
    assert sent.body == TEXT + "\n"
    assert (sent.from_email, sent.to) == (
        "server@shop.example",
        ["ops@example.org", "me@example.org"],
    )


def test_mail_reaches_a_real_server(smtp):
    """To both addresses, in one mail."""
    assert tell(NOTICE, Ways(mail=("ops@example.org", "me@example.org"))) == []
    ((to, message),) = smtp.mails
    assert to == ["ops@example.org", "me@example.org"]
    assert message["Subject"] == "[shop] production: expire_trials: run 12 failed"
    assert message.get_content().splitlines() == TEXT.splitlines()


@pytest.mark.parametrize(
    ("refuses", "reason"),
    [
        ({"RCPT": "550 no such user ops@example.org"}, "the server takes no mail for these"),
        ({"DATA": "554 hush"}, "the server answered 554"),
        ({"MAIL": "530 hush"}, "the server answered 530"),
        ({"EHLO": "421 hush", "HELO": "421 hush"}, "the server answered 421"),
    ],
)
def test_server_that_refuses_a_mail_is_a_warning(smtp, refuses, reason):
    """In words of our own: the answer may hold anything."""
    smtp.refuses = refuses
    (said,) = tell(NOTICE, Ways(mail=("ops@example.org",)))
    assert said.startswith(f"The mail of expire_trials could not be sent: {reason}")
    assert "hush" not in said


def test_nobody_takes_mail(smtp, settings):
    """A closed port is a warning."""
    settings.EMAIL_PORT = 1
    assert tell(NOTICE, Ways(mail=("ops@example.org",))) == [
        "The mail of expire_trials could not be sent: connection refused."
    ]


@pytest.mark.usefixtures("hurried")
def test_silent_mail_server_is_left_alone_and_given_up(smtp):
    """At the deadline the run goes on, and the connection is closed soon after."""
    smtp.silent = True
    begun = time.monotonic()
    assert tell(NOTICE, Ways(mail=("ops@example.org",))) == [
        "The mail of expire_trials could not be sent: no answer within 0.1 seconds."
    ]
    assert time.monotonic() - begun < 5
    for thread in threading.enumerate():
        if thread.name == notices.MAIL:
            thread.join(5)
    assert notices.MAIL not in {thread.name for thread in threading.enumerate()}


def test_webhook_gets_json(watcher):
    """What happened for a program, and ``text`` for a chat."""
    assert tell(NOTICE, Ways(webhook=f"{watcher.url}/hook?x=1")) == []
    (call,) = watcher.calls
    assert (call.method, call.target, call.kind) == ("POST", "/hook?x=1", "application/json")
    assert json.loads(call.body) == {
        "text": TEXT,
        "event": "failed",
        "job": "expire_trials",
        "run": 12,
        "environment": "production",
        "lines": list(NOTICE.lines),
    }


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_webhook_is_followed_with_its_body(watcher, status):
    """A redirect keeps method, body and kind."""
    watcher.status, watcher.location = status, f"{watcher.url}/moved"
    assert tell(NOTICE, Ways(webhook=watcher.url)) == []
    first, second = watcher.calls
    assert (second.target, second.kind, second.body) == ("/moved", first.kind, first.body)


def test_webhook_that_refuses_is_a_warning_without_its_address(watcher):
    """The address is a secret, also in the object's own text."""
    watcher.status = 404
    ways = Ways(webhook=f"{watcher.url}/hush")
    assert tell(NOTICE, ways) == [
        "The webhook of expire_trials could not be sent: the server answered 404."
    ]
    assert "hush" not in repr(ways)


def test_no_secret_is_told(watcher, monkeypatch):
    """A line that holds one by mistake is masked, and stays one line."""
    monkeypatch.setenv("DEPLOY_TOKEN", "s3cr3t-of-env")
    notice = Notice(event="status", job=None, run=None, lines=("x\ns3cr3t-of-env\x1b[1m",))
    assert tell(notice, Ways(webhook=watcher.url, mail=("ops@example.org",))) == []
    assert json.loads(watcher.calls[0].body)["lines"] == [r"x ***\x1b[1m"]
    assert mail.outbox[0].subject == r"[shop] production: x ***\x1b[1m"


@pytest.mark.slow
def test_all_share_one_deadline(watcher, smtp, monkeypatch):
    """A slow webhook and a silent mail server are waited for at the same time."""
    monkeypatch.setattr(errands, "DEADLINE", 1)
    watcher.pause, smtp.silent = 5, True
    begun = time.monotonic()
    said = tell(NOTICE, Ways(webhook=watcher.url, mail=("ops@example.org",)))
    assert [line.rpartition(": ")[2] for line in said] == ["no answer within 1 seconds."] * 2
    assert 1 <= time.monotonic() - begun < 1.9


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ("production", True),
        ("staging", True),
        ("local", False),
        ("test", False),
        ("review", False),  # declared as unprotected
        ("", True),
    ],
)
def test_nobody_is_told_where_nobody_loses_anything(monkeypatch, settings, environment, told):
    """A run that fails on a laptop is no news for those who look after production."""
    config = Config(
        root=ROOT,
        manage=ROOT,
        protected=frozenset({"production"}),
        unprotected=frozenset({"review"}),
        notify=Notify(mail=("ops@example.org",), webhook="OPS_WEBHOOK_URL"),
    )
    monkeypatch.setattr(notices, "of_settings", lambda: config)
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    monkeypatch.setenv("OPS_WEBHOOK_URL", "https://hook.example/1")
    settings.ENVIRONMENT, settings.DEBUG = environment, False
    whole = Ways(
        mail=("ops@example.org",), variable="OPS_WEBHOOK_URL", webhook="https://hook.example/1"
    )
    assert notices.declared() == whole
    assert notices.ways() == (whole if told else Ways())
    monkeypatch.delenv("OPS_WEBHOOK_URL")
    assert notices.declared() == Ways(mail=("ops@example.org",), variable="OPS_WEBHOOK_URL")
    settings.ENVIRONMENT, settings.DEBUG = "", True
    assert notices.ways() == Ways()
