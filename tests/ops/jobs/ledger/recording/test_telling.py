"""Who looks after the jobs is told of a bad end, of a slow run, and when it is well again."""

import json
import time

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_runbook.config import Config, Job, Notify
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.errors import FailedError, FencedError, RefusedError
from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.ledger.recording.recording import recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.notify import notices
from tests.commands import ROOT
from tests.ops.jobs.notify.conftest import watcher as _watcher
from tests.ops.jobs.past_runs import DAY, HOUR, MINUTE, ran

watcher = _watcher
pytestmark = pytest.mark.django_db

JOB = Job(name="expire_trials", cron="17 4 * * *")
ME = Who(user="me", host="laptop")


@pytest.fixture(autouse=True)
def _told(monkeypatch, settings, watcher):
    """Let a webhook and a mail be declared, in production."""
    config = Config(
        root=ROOT,
        manage=ROOT,
        protected=frozenset({"production"}),
        notify=Notify(mail=("ops@example.org",), webhook="OPS_WEBHOOK_URL"),
    )
    settings.ENVIRONMENT = "production"
    monkeypatch.setattr(notices, "of_settings", lambda: config)
    monkeypatch.setenv("OPS_WEBHOOK_URL", watcher.url)
    monkeypatch.setenv("no_proxy", "*")


def run(status: str = "SUCCEEDED", **values) -> Run:
    """Let a run come out so, and return it."""
    with recorded(JOB, Order(who=ME, slot=values.pop("slot", None)), **values) as recording:
        recording.says(Status(status), "Key (email)=(ada@example.com) already exists.")
        recording.output = "ada@example.com"
    assert recording.warnings == []
    return recording.run


def told(watcher) -> list[tuple[str, int, str]]:
    """Return event, run and first line of what the webhook got, and forget it."""
    found = [json.loads(call.body) for call in watcher.calls]
    assert [text.subject.partition("production: ")[2] for text in mail.outbox] == [
        each["lines"][0] for each in found
    ]
    everything = json.dumps(found) + "".join(text.body for text in mail.outbox)
    assert "ada@" not in everything  # neither the reason nor the output leaves the ledger
    watcher.calls.clear()
    mail.outbox.clear()
    return [(each["event"], each["run"], each["lines"][0]) for each in found]


@pytest.mark.parametrize(("status", "word"), [("FAILED", "failed"), ("REFUSED", "was refused")])
def test_bad_end_is_told_each_time_and_its_end_once(watcher, status, word):
    """Not what came well after what was well; the lines say by whom, and where to look."""
    run()
    assert told(watcher) == []
    first = run(status)
    facts = json.loads(watcher.calls[0].body)
    assert facts["lines"][1:] == ["Run by me@laptop.", f"inv jobs.show {first.pk}"]
    assert told(watcher) == [(status.lower(), first.pk, f"expire_trials: run {first.pk} {word}")]
    second = run(status)
    assert [event for event, *_ in told(watcher)] == [status.lower()]
    run("STOPPED")
    assert told(watcher) == []
    good = run()
    said = f"expire_trials: run {good.pk} succeeded; before it run {second.pk} {word}"
    assert told(watcher) == [("recovered", good.pk, said)]
    run()
    assert told(watcher) == []


def test_slot_of_the_run_is_named(watcher):
    """It is what one looks for in a schedule."""
    slot = (database_now() - HOUR).replace(second=0, microsecond=0)
    made = run("FAILED", slot=slot)
    said = f"expire_trials: run {made.pk}, for the slot {slot:%Y-%m-%dT%H:%MZ}, failed"
    assert told(watcher) == [("failed", made.pk, said)]


def test_exception_is_a_bad_end(watcher):
    """Of a guard, and of any other kind."""
    with pytest.raises(RefusedError), recorded(JOB, Order()):
        raise RefusedError("Refused: ada@example.com")
    with pytest.raises(ZeroDivisionError), recorded(JOB, Order()):
        raise ZeroDivisionError("ada@example.com")
    assert [event for event, *_ in told(watcher)] == ["refused", "failed"]


def test_lost_run_is_told_by_the_next_one(watcher):
    """It could tell nobody itself; and when that one succeeds, it is well again."""
    lost = ran("RUNNING", database_now() - DAY, heartbeat=database_now() - DAY)
    good = run()
    assert told(watcher) == [
        ("lost", lost.pk, f"expire_trials: run {lost.pk} was lost: its heartbeat stopped"),
        (
            "recovered",
            good.pk,
            (
                f"expire_trials: run {good.pk} succeeded; before it run {lost.pk} was lost: its "
                "heartbeat stopped"
            ),
        ),
    ]


def test_as_of_of_the_past_makes_nothing_good(watcher):
    """It succeeded, and what failed is still not done."""
    run("FAILED")
    told(watcher)
    run(covers=database_now() - 30 * DAY)
    assert told(watcher) == []


def test_start_that_is_refused_at_once_is_told(watcher):
    """While the job is being undone, its run stands in the ledger as refused, and is told of."""
    first = run()
    undo = ran("RUNNING", started=database_now(), undoes=first, heartbeat=database_now())
    with pytest.raises(RefusedError) as refusal:
        run()
    refused = Run.objects.get(status=Status.REFUSED)
    assert str(refusal.value).startswith(f"Refused: run {undo.pk} (me@laptop) is undoing run ")
    assert told(watcher) == [
        ("refused", refused.pk, f"expire_trials: run {refused.pk} was refused")
    ]


def test_undo_is_told_to_nobody(watcher):
    """It is not the job: neither its bad end nor its good one says anything of that."""
    first = run("FAILED")
    told(watcher)
    run(undoes=first)
    run("FAILED", undoes=first)
    assert told(watcher) == []


@pytest.mark.slow
def test_slow_run_is_told_once_while_it_runs(watcher, monkeypatch):
    """After three times its usual time, and not when it ends."""
    now = database_now()
    for days in (3, 2, 1):
        ran(started=now - days * DAY, finished=now - days * DAY + MINUTE / 300)  # 0.2 seconds
    monkeypatch.setattr(outcomes, "LEAST", MINUTE / 6000)
    with recorded(JOB, Order(who=ME)) as recording:
        time.sleep(0.4)
        assert watcher.calls == []
        time.sleep(0.8)
        slow = f"expire_trials: run {recording.run.pk} is slow: it takes three times its usual time"
        assert told(watcher) == [("slow", recording.run.pk, slow)]
    time.sleep(0.8)
    assert told(watcher) == []
    with recorded(JOB, Order(who=ME)):
        pass
    time.sleep(0.8)
    assert told(watcher) == []


@pytest.mark.parametrize("how", ["refuses", "unreachable"])
def test_nobody_who_cannot_be_told_fails_a_run(watcher, monkeypatch, settings, how):
    """It is a warning of the run, which ends as it ends."""
    settings.EMAIL_BACKEND = "no.such.Backend"
    watcher.status = 500
    reason = "the server answered 500"
    if how == "unreachable":
        monkeypatch.setenv("OPS_WEBHOOK_URL", "http://127.0.0.1:1/hush")
        reason = "connection refused"
    with recorded(JOB, Order()) as recording:
        recording.says(Status.FAILED, "x")
    assert sorted(recording.warnings) == [
        "The mail of expire_trials could not be sent: an unexpected ModuleNotFoundError.",
        f"The webhook of expire_trials could not be sent: {reason}.",
    ]
    recording.run.refresh_from_db()
    assert recording.run.status == "FAILED"


def test_run_that_is_taken_over_leaves_the_news_to_the_other(watcher):
    """Whoever took it for lost has told so."""

    def taken_over() -> None:
        with recorded(JOB, Order()) as recording:
            Run.objects.filter(pk=recording.run.pk).update(status="LOST")
            raise FencedError("taken over.")

    with pytest.raises(FailedError):
        taken_over()
    assert told(watcher) == []


def test_nothing_is_read_where_nobody_is_told(settings):
    """On a laptop a run asks the ledger for nothing of this."""
    settings.ENVIRONMENT = "local"
    with CaptureQueriesContext(connection) as quiet:
        run()
    settings.ENVIRONMENT = "production"
    with CaptureQueriesContext(connection) as watched:
        run()
    assert len(watched) - len(quiet) == 2  # how the last one ended, and how long they take
