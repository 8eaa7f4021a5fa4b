"""A run is stopped and undone from its page."""

import socket

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from accounts.services import expire_trials
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.pages.acts import looking
from django_runbook.jobs.pages.acts.answers import Table
from django_runbook.schema.database.target import target
from tests.ops.jobs.pages.acts.conftest import run, token, told

pytestmark = pytest.mark.django_db

HOST = socket.gethostname()


def going(**values):
    """Return a run that is under way."""
    values = {"due": 9, "changed": 4, "user": "me", "host": "laptop", **values}
    return Run.objects.create(job="expire_trials", **values)


@pytest.fixture
def expired(four):
    """Return a run that expired four accounts."""
    return Run.objects.get(pk=expire_trials(now=timezone.now()).run)


def test_run_is_asked_to_stop(as_user):
    """With how far it is; then in the ledger and in the log, by the user's name, once."""
    client, made = as_user("stop_run"), going()
    shows = client.get(run("stop", made.pk)).context["shows"]
    assert (shows.target, shows.facts, shows.command) == (
        f"Stop run {made.pk} of expire_trials after its batch in: {target(connect=False)}",
        (("Rows changed", "4 of 9"), ("Started by", "me@laptop")),
        f"inv jobs.stop {made.pk}",
    )
    done = client.post(run("stop", made.pk), {"reason": "wrong\nlist"}, follow=True)
    assert done.redirect_chain == [(f"/admin/runbook_jobs/run/{made.pk}/change/", 302)]
    assert told(done) == [f"Run {made.pk} of expire_trials ends after its batch."]
    by = f"ada@{HOST} (in the admin): wrong list"
    made.refresh_from_db()
    assert made.stop_reason == by
    again = f"Run {made.pk} of expire_trials was asked to end before, by {by}."
    assert told(client.post(run("stop", made.pk), {"reason": "so"}, follow=True)) == [again]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message, entry.get_admin_url()) == (
        str(made.pk),
        f"Run {made.pk} of expire_trials was asked to end, by {by}",
        f"/admin/runbook_jobs/run/{made.pk}/change/",
    )
    asked = client.get(run("stop", made.pk))
    line = (
        f"Refused: run {made.pk} of expire_trials was asked to end before, by {by}; "
        "it does so after its batch."
    )
    assert (asked.status_code, asked.context["line"]) == (409, line)


@pytest.mark.parametrize("method", ["get", "post"])
def test_run_that_has_ended_is_not_stopped(as_user, method):
    """In the words of the command, with 409."""
    made = going(status="SUCCEEDED")
    answer = getattr(as_user("stop_run"), method)(run("stop", made.pk))
    line = (
        f"Refused: run {made.pk} of expire_trials is not running (succeeded); nothing was changed."
    )
    assert (answer.status_code, answer.context["line"]) == (409, line)
    assert LogEntry.objects.count() == 0


def test_undo_is_asked_for_and_handed_over(as_user, expired, taken):
    """With what it would put back; then to a worker, and once."""
    client = as_user("undo_run")
    asked = client.get(run("undo", expired.pk))
    shows = asked.context["shows"]
    keys = Batch.objects.get().ids
    action = (
        f"Undo run {expired.pk} of expire_trials: accounts.account, "
        "status TRIAL_EXPIRED -> TRIALING, 4 row(s) in 1 batch"
    )
    assert (shows.target, shows.facts, shows.table, shows.command) == (
        f"{action}, in: {target(connect=False)}",
        (
            ("Change", "accounts.account: status TRIAL_EXPIRED -> TRIALING"),
            ("Rows", "4, in 1 batch(es)"),
        ),
        Table(caption="The first 4 row(s)", heads=("Row",), rows=[(str(key),) for key in keys]),
        f"inv jobs.undo {expired.pk}",
    )
    form = {"token": token(asked)}
    done = client.post(run("undo", expired.pk), form, follow=True)
    assert told(done) == ["Handed to the workers as task 1; the run is seen here once it begins."]
    given = {
        "backend": "default",
        "queue": "default",
        "command": "undo_run",
        "subject": str(expired.pk),
        "by": "ada",
        "token": form["token"],
        "words": [],
    }
    assert told(client.post(run("undo", expired.pk), form, follow=True)) == [
        "This was handed to the workers already; nothing more was started."
    ]
    assert taken == [given]
    entry = LogEntry.objects.get()
    said = f"{action}: handed to the workers as {form['token']}"
    assert (entry.object_id, entry.change_message) == (str(expired.pk), said)


def test_undo_of_a_protected_target_hands_its_name_on(as_user, expired, taken, guarded):
    """The command asks again, where it runs; another name is refused here."""
    client = as_user("undo_run")
    asked, name = client.get(run("undo", expired.pk)), target().name
    form = {"token": token(asked), "name": "another"}
    answer = client.post(run("undo", expired.pk), form)
    line = f"Refused: 'another' is not {name}; nothing was changed."
    assert (answer.status_code, answer.context["line"], taken) == (409, line, [])
    client.post(run("undo", expired.pk), {**form, "name": name})
    assert [errand["words"] for errand in taken] == [["--confirm", name]]


@pytest.mark.parametrize("method", ["get", "post"])
def test_undo_that_is_refused_is_refused_here(as_user, expired, taken, method):
    """In the line of the command, before anybody is asked or anything is handed over."""
    ask = getattr(as_user("undo_run"), method)
    undo = Run.objects.create(job="expire_trials", undoes=expired, status="SUCCEEDED")
    answer = ask(run("undo", undo.pk))
    line = f"Refused: run {undo.pk} is itself the undo of run {expired.pk}."
    assert (answer.status_code, answer.context["line"]) == (409, line)
    other = going()
    answer = ask(run("undo", expired.pk))
    line = (
        f"Refused: run {other.pk} of expire_trials is running (me@laptop); nothing was changed. "
        "Stop it first, or wait for its end."
    )
    assert (answer.status_code, answer.context["line"], taken) == (409, line, [])


def test_undo_of_many_batches_is_looked_at_by_the_worker(as_user, expired, taken, monkeypatch):
    """Where the page has no time for all of them, it says so, and asks all the same."""
    monkeypatch.setattr(looking, "_in_time", lambda _look: None)
    shows = as_user("undo_run").get(run("undo", expired.pk)).context["shows"]
    late = (
        "To look at all batches takes longer than 5 seconds; the undo looks at them before it "
        "changes anything."
    )
    assert (shows.target, shows.notes, shows.submit) == (
        f"Undo run {expired.pk} of expire_trials in: {target(connect=False)}",
        (late,),
        "Undo",
    )


@pytest.mark.parametrize("act", ["stop", "undo"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_run_is_told(as_user, act, method):
    """With 404, whatever was sent, and however large the number is."""
    ask = getattr(as_user("stop_run", "undo_run"), method)
    answer = ask(run(act, 99))
    line = "There is no run 99. See 'inv jobs.history'."
    assert (answer.status_code, answer.context["line"]) == (404, line)
    answer = ask(run(act, "9" * 30))
    line = f"There is no run {'9' * 30}: '{'9' * 30}' is too large."
    assert (answer.status_code, answer.context["line"]) == (404, line)
