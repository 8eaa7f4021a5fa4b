"""`notify_test` and `job_status --notify`: each way that is declared, on real servers."""

import json

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Config, Job, Notify
from django_runbook.jobs import registry
from django_runbook.jobs.notify import notices
from tests.commands import ROOT
from tests.factories import AccountFactory
from tests.ops.jobs.management.printed import SLOT, TRIAL, failed, run
from tests.ops.jobs.notify.conftest import sentry as _sentry
from tests.ops.jobs.notify.conftest import watcher as _watcher
from tests.ops.jobs.past_runs import DAY, HOUR, ran, since

watcher, sentry = _watcher, _sentry
JOBS = {
    "expire_trials": Job(name="expire_trials", cron="17 4 * * *", heartbeat="EXPIRE_PING"),
    "tidy": Job(name="tidy", heartbeat="TIDY_PING"),
    "send_bills": Job(name="send_bills"),
}
BOTH = Notify(mail=("ops@example.org", "me@example.org"), webhook="OPS_WEBHOOK_URL")


@pytest.fixture(autouse=True)
def declare(monkeypatch, settings):
    """Return what declares jobs and who is told, in production; nobody is, at first."""
    settings.ENVIRONMENT = "production"
    monkeypatch.setenv("no_proxy", "*")
    for name in ("EXPIRE_PING", "TIDY_PING", "OPS_WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)

    def declared(notify: Notify, jobs: dict[str, Job]) -> None:
        protected = frozenset({"production"})
        config = Config(root=ROOT, manage=ROOT, protected=protected, jobs=jobs, notify=notify)
        monkeypatch.setattr(registry, "of_settings", lambda: config)
        monkeypatch.setattr(notices, "of_settings", lambda: config)

    declared(Notify(), {})
    return declared


def test_each_way_is_tried(declare, watcher, monkeypatch, capsys):
    """A mail, a webhook, and a log line for each heartbeat, which is no start and no end."""
    declare(BOTH, JOBS)
    monkeypatch.setenv("OPS_WEBHOOK_URL", f"{watcher.url}/hook/hush")
    monkeypatch.setenv("EXPIRE_PING", f"{watcher.url}/ping/hush")
    monkeypatch.setenv("TIDY_PING", f"{watcher.url}/tidy?create=1")
    call_command("notify_test")
    assert capsys.readouterr().out == (
        "OK     mail to ops@example.org, me@example.org\n"
        "OK     webhook OPS_WEBHOOK_URL\n"
        "OK     heartbeat of expire_trials (EXPIRE_PING)\n"
        "OK     heartbeat of tidy (TIDY_PING)\n"
        "NOTE   Sentry: no run checks in, for sentry-sdk is not initialised here.\n"
    )
    paths = sorted(call.target.partition("?")[0] for call in watcher.calls)
    assert paths == ["/hook/hush", "/ping/hush/log", "/tidy/log"]
    assert mail.outbox[0].subject.endswith("production: a test of inv jobs.notify-test")


def test_what_fails_is_named_with_its_reason(declare, watcher, monkeypatch, capsys):
    """A variable that is not set is one of them; exit code 1, and no address is shown."""
    declare(BOTH, JOBS)
    watcher.answer = b"OK (not found)"
    monkeypatch.setenv("EXPIRE_PING", f"{watcher.url}/hush")
    with pytest.raises(CommandError) as failure:
        call_command("notify_test")
    out = capsys.readouterr().out
    assert out.splitlines()[:-1] == [
        "OK     mail to ops@example.org, me@example.org",
        "WRONG  webhook OPS_WEBHOOK_URL: OPS_WEBHOOK_URL is not set in the environment",
        "WRONG  heartbeat of expire_trials (EXPIRE_PING): the server knows no such check",
        "WRONG  heartbeat of tidy (TIDY_PING): TIDY_PING is not set in the environment",
    ]
    assert (failure.value.returncode, str(failure.value)) == (1, "3 of 4 could not be told.")
    assert "hush" not in out


@pytest.mark.parametrize("jobs", [{}, {"send_bills": Job(name="send_bills")}])
def test_nobody_declared_is_no_good_news(declare, jobs, capsys):
    """Exit code 1, with what to declare."""
    declare(Notify(), jobs)
    with pytest.raises(CommandError) as failure:
        call_command("notify_test")
    assert (failure.value.returncode, str(failure.value)) == (
        1,
        (
            "Nobody is declared: name mail or webhook under [tool.django-runbook.notify], or a "
            "heartbeat of a job."
        ),
    )
    with pytest.raises(CommandError):
        call_command("notify_test", "--json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ok"] is False


def test_notes_say_what_a_test_cannot_show(declare, sentry, settings, capsys):
    """On a laptop a run tells nobody; Sentry would get check-ins, and gets none now."""
    settings.ENVIRONMENT = "local"
    declare(Notify(mail=("ops@example.org",)), JOBS)
    with pytest.raises(CommandError):
        call_command("notify_test", "--json")
    assert json.loads(capsys.readouterr().out)["notes"] == [
        (
            "Mail and webhook are told of no run here: the environment is local, where nobody "
            "loses anything."
        ),
        "Sentry: each run would check in with its monitor: expire_trials, tidy, send_bills.",
    ]
    assert (sentry.checked_in, len(mail.outbox)) == ([], 1)


@pytest.fixture
def ill(db, declare, watcher, monkeypatch):
    """Let jobs be ill in each way that a finding can be, with values in every text."""
    declare(BOTH, {name: JOBS[name] for name in ("expire_trials", "tidy")})
    monkeypatch.setattr(registry, "_registered", {"expire_trials": EXPIRE_TRIALS})
    monkeypatch.setenv("OPS_WEBHOOK_URL", watcher.url)
    since(SLOT - 9 * DAY)
    ran(started=SLOT - 2 * DAY)
    ran("FAILED", SLOT, reason="Key (email)=(ada@example.com) already exists.")
    AccountFactory(created=SLOT - TRIAL - 9 * DAY)
    for days in (3, 2, 1):
        ran(started=SLOT - days * DAY, job="tidy")
    ran("RUNNING", SLOT, job="tidy")


def test_findings_are_told_without_values(ill, watcher):
    """What `job_status` prints, but for reasons and keys of rows; one message for all."""
    code, message, _out = failed("job_status", "--notify")
    assert (code, message) == (1, "2 of 2 job(s) need a look.")
    (call,) = watcher.calls
    facts = json.loads(call.body)
    bad, slow = (line.split("run ")[1].split()[0] for line in facts["lines"] if ": run" in line)
    assert facts["lines"] == [
        "2 of 2 job(s) need a look",
        (
            "WRONG expire_trials missed its slot 2026-03-01T04:17Z by 1 d 7 h (grace 6 h), and 1 "
            "after it -> inv jobs.run expire_trials"
        ),
        f"WRONG expire_trials: run {bad} failed 2026-03-02T04:17Z -> inv jobs.show {bad}",
        (
            "WRONG expire_trials: account has been due since 2026-02-21T04:17Z, for 9 d 7 h, and "
            "is the oldest -> inv jobs.run expire_trials"
        ),
        (
            f"SLOW tidy: run {slow} has been running since 2026-03-02T04:17Z, for 7 h 12 min, "
            f"three times its usual 1 min -> inv jobs.show {slow}"
        ),
    ]
    assert (facts["event"], facts["job"], facts["run"]) == ("status", None, None)
    assert mail.outbox[0].body.splitlines()[1:] == facts["lines"][1:]


def test_nobody_is_told_of_what_is_well(db, declare, watcher, monkeypatch):
    """`--notify` says nothing then, and is silent itself."""
    declare(BOTH, {"tidy": Job(name="tidy")})
    monkeypatch.setenv("OPS_WEBHOOK_URL", watcher.url)
    monkeypatch.setattr(registry, "_registered", {})
    ran(started=SLOT - HOUR, job="tidy")
    assert run("job_status", "--notify") == run("job_status")
    assert (watcher.calls, mail.outbox) == ([], [])


@pytest.mark.parametrize(
    ("environment", "notify", "line"),
    [
        (
            "production",
            Notify(),
            (
                "Nobody is told: [tool.django-runbook.notify] of pyproject.toml names nobody who "
                "can be reached.\n"
            ),
        ),
        (
            "local",
            BOTH,
            "Nobody is told: the environment is local, where nobody loses anything.\n",
        ),
        (
            "production",
            Notify(webhook="OPS_WEBHOOK_URL"),
            "The webhook of the jobs could not be sent: the server answered 500.\n",
        ),
    ],
)
def test_findings_that_reach_nobody_are_a_line(
    ill, declare, watcher, settings, capsys, environment, notify, line
):
    """The exit code is that of the findings."""
    declare(notify, {name: JOBS[name] for name in ("expire_trials", "tidy")})
    settings.ENVIRONMENT, watcher.status = environment, 500
    assert failed("job_status", "--notify")[0] == 1
    assert capsys.readouterr().err == line
