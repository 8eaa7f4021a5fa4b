"""A job is tried, run, paused and resumed from its page."""

import datetime
import socket

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from accounts.models import Account
from django_runbook.jobs.ledger import pauses
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Pause, Run
from django_runbook.jobs.pages.acts import looking
from django_runbook.jobs.pages.acts.answers import Page, Table
from django_runbook.schema.database.target import target
from tests.ops.jobs.background.taken import REFUSES
from tests.ops.jobs.pages.acts.conftest import job, token, told

pytestmark = pytest.mark.django_db

CHANGE = ("Change", "accounts.account: status TRIALING -> TRIAL_EXPIRED")
HOST = socket.gethostname()
NO_WORKER = "This project hands nothing to workers (TASKS in its settings): type the command."


def where():
    """Return the target as the guard says it."""
    return str(target(connect=False))


def examples(keys):
    """Return the table of accounts that would expire."""
    rows = [(str(key), "status", '"TRIALING"', '"TRIAL_EXPIRED"') for key in keys]
    caption = f"The first {len(rows)}, before and after"
    return Table(caption=caption, heads=("Row", "Field", "Before", "After"), rows=rows)


def in_order(keys):
    """Return keys in the order in which a run takes them."""
    found = Account.objects.filter(pk__in=keys).order_by("created", "pk")
    return list(found.values_list("pk", flat=True))


def test_dry_run_shows_what_a_run_would_do(as_user, four):
    """At once, with the command that does the same; nothing is written."""
    answer = as_user("run_job").get(job("dry-run"))
    shows = answer.context["shows"]
    due_at = dict(shows.facts)["Due at"]
    assert (answer.status_code, answer.context["title"]) == (200, "Dry run of expire_trials")
    assert shows == Page(
        target=f"Dry run of expire_trials in: {where()}",
        facts=(("Rows due", "4"), ("Due at", due_at), CHANGE),
        table=examples(in_order(four)),
        command="inv jobs.run expire_trials -- --dry-run",
    )
    assert set(Account.objects.values_list("status", flat=True)) == {"TRIALING"}
    assert (Run.objects.count(), LogEntry.objects.count()) == (0, 0)


def test_look_that_takes_too_long_is_broken_off(as_user, monkeypatch):
    """The page says so, and names the command."""
    monkeypatch.setattr(looking, "_in_time", lambda _look: None)
    shows = as_user("run_job").get(job("dry-run")).context["shows"]
    assert shows == Page(
        target=f"Dry run of expire_trials in: {where()}",
        facts=(CHANGE,),
        notes=("A look takes longer than 5 seconds; on a terminal it takes as long as it must.",),
        command="inv jobs.run expire_trials -- --dry-run",
    )


@pytest.mark.parametrize(
    ("name", "shows"),
    [
        ("clearsessions", Page(notes=("clearsessions has no dry run.",))),
        (
            "prune_5Fruns",
            Page(
                notes=(
                    "Only registered transitions are tried here; this command is on a terminal.",
                ),
                command="inv jobs.run prune_runs -- --dry-run",
            ),
        ),
    ],
)
def test_dry_run_of_another_command_is_typed(as_user, name, shows):
    """Where it has one."""
    Run.objects.create(job="prune_runs")
    assert as_user("run_job").get(job("dry-run", name)).context["shows"] == shows


def test_run_is_asked_for_and_handed_over(as_user, four, taken):
    """With target, rows and examples; then to a worker, in the admin's log, and once."""
    client = as_user("run_job")
    asked = client.get(job("run"))
    shows = asked.context["shows"]
    assert (shows.target, shows.facts[0], shows.table, shows.command) == (
        f"Run expire_trials in: {where()}",
        ("Rows due", "4"),
        examples(in_order(four)),
        "inv jobs.run expire_trials",
    )
    form = {"token": token(asked), "allow": "7", "reason": "all are over"}
    done = client.post(job("run"), form, follow=True)
    assert done.redirect_chain == [("/admin/runbook_jobs/job/expire_5Ftrials/change/", 302)]
    assert told(done) == ["Handed to the workers as task 1; the run is seen here once it begins."]
    given = {
        "backend": "default",
        "queue": "default",
        "command": "run_job",
        "subject": "expire_trials",
        "by": "ada",
        "token": form["token"],
        "words": ["--allow=7", "--reason=all are over"],
    }
    assert taken == [given]
    entry = LogEntry.objects.get()
    assert (str(entry.user), entry.object_id, entry.object_repr) == (
        "ada",
        "expire_trials",
        "expire_trials",
    )
    said = f"Run expire_trials: handed to the workers as {form['token']}"
    assert (entry.get_change_message(), entry.get_admin_url()) == (
        said,
        "/admin/runbook_jobs/job/expire_5Ftrials/change/",
    )
    assert told(client.post(job("run"), form, follow=True)) == [
        "This was handed to the workers already; nothing more was started."
    ]
    assert (taken, LogEntry.objects.count(), Run.objects.count()) == ([given], 1, 0)


def test_what_waits_for_a_worker_is_not_handed_over_again(as_user, taken):
    """A new page has the same token, until its run has begun; then another."""
    client = as_user("run_job")
    first = token(client.get(job("run")))
    client.post(job("run"), {"token": first})
    again = client.get(job("run"))
    assert again.context["shows"].notes[-1] == (
        "It was handed to the workers a moment ago, and has not begun; asked again, it runs once."
    )
    assert token(again) == first
    begun = Run.objects.create(job="expire_trials", token=first, status="SUCCEEDED")
    assert told(client.post(job("run"), {"token": first}, follow=True)) == [
        f"This was done already, as run {begun.pk}; nothing more was started."
    ]
    assert token(client.get(job("run"))) != first
    assert len(taken) == 1


def test_what_nobody_has_begun_for_long_is_asked_for_anew(as_user, taken):
    """A queue may have been emptied."""
    client = as_user("run_job")
    first = token(client.get(job("run")))
    client.post(job("run"), {"token": first})
    LogEntry.objects.update(action_time=timezone.now() - datetime.timedelta(minutes=11))
    assert token(client.get(job("run"))) != first


def test_without_workers_the_command_is_typed(as_user, four):
    """The page has no form; who sends one is refused."""
    client = as_user("run_job")
    shows = client.get(job("run")).context["shows"]
    assert (shows.form, shows.notes, shows.command) == (
        None,
        (NO_WORKER,),
        "inv jobs.run expire_trials",
    )
    refused = client.post(job("run"), {"token": "12345678-1234-4234-8234-123456789abc"})
    line = (
        "Refused: this project hands nothing to workers (TASKS in its settings): type the command "
        "'inv jobs.run expire_trials'."
    )
    assert (refused.status_code, refused.context["line"]) == (409, line)


@pytest.mark.parametrize(
    ("form", "errors"),
    [
        ({"allow": "7"}, {"__all__": ["The number of rows and the reason go together."]}),
        ({"reason": "so"}, {"__all__": ["The number of rows and the reason go together."]}),
        (
            {"allow": "-1", "reason": "so"},
            {"allow": ["Ensure this value is greater than or equal to 0."]},
        ),
        ({"token": "1"}, {"token": ["Enter a valid UUID."]}),
    ],
)
def test_wrong_form_is_asked_again(as_user, taken, form, errors):
    """Nothing is handed over."""
    client = as_user("run_job")
    form = {"token": "12345678-1234-4234-8234-123456789abc", **form}
    answer = client.post(job("run"), form)
    assert (answer.status_code, dict(answer.context["shows"].form.errors)) == (400, errors)
    assert taken == []


def test_protected_target_wants_its_name(as_user, taken, guarded):
    """As the guard says it; nothing is handed over for another name, or for none."""
    client = as_user("run_job")
    asked = client.get(job("run"))
    at = target()
    field = asked.context["shows"].form["name"]
    assert (field.label, field.help_text) == (
        f"Type {at.name} to go on",
        "This is a protected target (it is precious).",
    )
    form = {"token": token(asked)}
    for typed in ("", "another"):
        answer = client.post(job("run"), {**form, "name": typed})
        line = f"Refused: '{typed}' is not {at.name}; nothing was changed."
        assert (answer.status_code, answer.context["line"]) == (409, line)
        assert token(answer) == form["token"]
    assert (taken, LogEntry.objects.count()) == ([], 0)
    client.post(job("run"), {**form, "name": at.name})
    assert [errand["words"] for errand in taken] == [[]]


def test_backend_that_is_away_is_one_line(as_user, settings):
    """And leaves no entry of what was not handed over."""
    settings.TASKS = {"default": {"BACKEND": REFUSES}}
    client = as_user("run_job")
    answer = client.post(job("run"), {"token": token(client.get(job("run")))})
    line = (
        "The task backend 'default' took nothing: no route to redis://me:***@queue/0. "
        "Nothing was started."
    )
    assert (answer.status_code, answer.context["line"]) == (503, line)
    assert LogEntry.objects.count() == 0


def test_wrong_setting_is_one_line(as_user, settings):
    """Of the backend that cannot be loaded."""
    settings.TASKS = {"default": {"BACKEND": "nowhere.Backend"}}
    answer = as_user("run_job").get(job("run"))
    assert (answer.status_code, answer.context["line"][:42]) == (
        409,
        "settings.TASKS['default']: Could not find ",
    )


def test_job_is_paused_and_resumed(as_user, settings):
    """Until when, in the current zone, and why; in the ledger and in the log, by whom."""
    client = as_user("pause_job")
    with timezone.override("Europe/Berlin"):
        settings.TIME_ZONE = "Europe/Berlin"
        asked = client.get(job("pause"))
        assert asked.context["shows"].command == 'inv jobs.pause expire_trials --reason "..."'
        form = {"until": "2099-07-01T06:00", "reason": "new prices"}
        done = client.post(job("pause"), form, follow=True)
    made = pauses.state(Pause.objects.get())
    assert (made.until.isoformat(), made.reason, made.who) == (
        "2099-07-01T04:00:00+00:00",
        "new prices",
        f"ada@{HOST}",
    )
    said = f"expire_trials is {pauses.paused_text(made)}."
    assert told(done) == [said]
    again = client.post(job("pause"), form)
    line = (
        f"Refused: expire_trials is {pauses.paused_text(made)} already; nothing was changed. "
        "'inv jobs.resume expire_trials' ends that pause first."
    )
    assert (again.status_code, again.context["line"]) == (409, line)
    asked = client.get(job("resume"))
    assert asked.context["shows"].facts[0] == ("Pause", pauses.paused_text(made))
    (line,) = told(client.post(job("resume"), follow=True))
    at = f"{Pause.objects.get().resumed:%Y-%m-%dT%H:%MZ}"
    assert line.endswith(f": new prices; resumed {at} by ada@{HOST}")
    assert told(client.post(job("resume"), follow=True)) == ["expire_trials is not paused."]
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        said,
        "expire_trials resumed.",
    ]


@pytest.mark.parametrize(
    ("form", "errors"),
    [
        ({"reason": " "}, {"reason": ["This field is required."]}),
        (
            {"reason": "so", "until": "2020-01-01T00:00"},
            {"until": ["2020-01-01T00:00Z is over."]},
        ),
        ({"reason": "so", "until": "soon"}, {"until": ["Enter a valid date/time."]}),
    ],
)
def test_wrong_pause_is_asked_again(as_user, form, errors):
    """Without a reason, or with an end that is over or is none."""
    answer = as_user("pause_job").post(job("pause"), form)
    assert (answer.status_code, dict(answer.context["shows"].form.errors)) == (400, errors)
    assert Pause.objects.count() == 0


def test_paused_job_is_not_run_and_an_unpaused_one_not_resumed(as_user, taken):
    """In the same line as on a terminal, with 409."""
    client = as_user("run_job", "pause_job")
    answer = client.get(job("resume"))
    assert (answer.status_code, answer.context["line"]) == (
        409,
        "Refused: expire_trials is not paused; nothing was changed.",
    )
    made = pauses.pause("expire_trials", until=None, reason="so", who=Who(user="me", host="laptop"))
    line = (
        f"Refused: expire_trials is {pauses.paused_text(made.pause)}; nothing was changed. "
        "'inv jobs.resume expire_trials' ends the pause."
    )
    for answer in (client.get(job("run")), client.post(job("run"), {})):
        assert (answer.status_code, answer.context["line"]) == (409, line)
    assert taken == []
