"""`inv jobs.stop`: a run ends after its batch, and the ledger says who wanted it."""

import json
import re
import time

import pytest
from django.utils import timezone

from accounts.services import expire_trials
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.errors import RefusedError, UnknownRunError
from django_runbook.jobs.ledger import stops
from django_runbook.jobs.ledger.reading.details import details
from django_runbook.jobs.ledger.reading.history import history
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Run, Status
from tests.ops.jobs import books, waiting
from tests.ops.jobs.books import NOW

pytestmark = pytest.mark.engines("sqlite", "postgresql")

WHO = Who(user="me", host="laptop")
ASKED = "me@laptop (inv jobs.stop): wrong list"


@pytest.mark.parametrize("undo", [False, True])
def test_run_ends_after_its_batch(five, undo):
    """Whatever it does, it is STOPPED by who asked first, with the rest left for the next."""
    asked = []
    books.open_accounts(3)

    def ask(_batch):
        run = Run.objects.latest("pk").pk
        asked.append(stops.ask_to_stop(run, who=WHO, reason="wrong\nlist"))
        stops.ask_to_stop(run, who=Who(user="you", host="server"))

    if undo:
        run = expire_trials(now=NOW).run
        first = undo_run(run, watch=ask)
        second = undo_run(run)
        assert (first.restored, second.restored) == (6, 2)
    else:
        first = expire_trials(now=NOW, watch=ask)
        second = expire_trials(now=NOW)
        assert (first.expired, second.expired, second.continues) == (6, 2, first.run)
    assert (first.status, first.reason, first.left) == ("STOPPED", ASKED, 2)
    assert (second.status, second.reason) == ("SUCCEEDED", "")
    assert [(each.reason, each.again) for each in asked] == [(ASKED, False), (ASKED, True)]
    found = Run.objects.get(pk=first.run)
    assert (found.status, found.stop_reason) == (Status.STOPPED, ASKED)
    assert found.started <= found.stop_asked <= found.finished
    assert books.complaints() == []


def test_ledger_shows_who_asked(db):
    """While the run goes on, and afterwards."""
    run = Run.objects.create(job="tidy")
    told = stops.ask_to_stop(run.pk, who=WHO)
    assert told == stops.StopAsked(
        run=run.pk, job="tidy", reason="me@laptop (inv jobs.stop)", again=False
    )
    assert stops.ask_to_stop(run.pk, who=WHO, reason="now").again
    assert next(history()).stop_reason == "me@laptop (inv jobs.stop)"
    run.refresh_from_db()
    assert details(run.pk).stop_asked == run.stop_asked


@pytest.mark.parametrize("status", [status for status in Status if status != Status.RUNNING])
def test_run_that_is_not_running_is_refused(db, status):
    """Whatever became of it; and so is one whose heart has stopped, or that never was."""
    run = Run.objects.create(job="tidy", status=status)
    with pytest.raises(RefusedError) as refused:
        stops.ask_to_stop(run.pk, who=WHO)
    assert str(refused.value) == (
        f"Refused: run {run.pk} of tidy is not running ({status.label}); nothing was changed."
    )
    run.refresh_from_db()
    assert run.stop_asked is None
    dead = Run.objects.create(job="tidy")
    books.let_time_pass()
    with pytest.raises(RefusedError, match="lost: its heartbeat stopped"):
        stops.ask_to_stop(dead.pk, who=WHO)
    with pytest.raises(UnknownRunError):
        stops.ask_to_stop(dead.pk + 1, who=WHO)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["counting", "verifying"])
def test_run_that_waits_is_stopped_from_another_process(commands, shared_url, engine, phase):
    """A count of minutes is broken off within seconds, exit code 4; history and show say by whom.

    SQLite with a write-ahead log: without one a count keeps away whoever would write.
    """
    if engine == "sqlite":
        books.execute("PRAGMA journal_mode = WAL")
    books.stage(5, now=timezone.now())
    url = {"DATABASE_URL": shared_url}
    with waiting.waits(commands, shared_url, phase, "slow") as process:
        run = Run.objects.get().pk
        asked = commands.inv("jobs.stop", str(run), "--reason", "wrong list", **url)
        begin = time.monotonic()
        said = f"ends after its batch; 'inv jobs.show {run}' shows how it came out."
        assert (asked.code, asked.err) == (0, "")
        assert asked.out == f"Run {run} of expire_trials {said}\n"
        _, error = process.communicate(timeout=30)
        assert time.monotonic() - begin < 15
    who = re.escape(Who.here().user) + r"@\S+ \(inv jobs\.stop\): wrong list"
    assert process.returncode == 4
    assert re.fullmatch(f"CommandError: Stopped by {who}. The next run goes on.\n", error)
    shown = commands.inv("jobs.show", str(run), **url).out
    assert re.search(rf"^status +STOPPED: {who}$", shown, re.MULTILINE)
    assert re.search(rf"^asked +to end, \S+Z, by {who}$", shown, re.MULTILINE)
    (state,) = json.loads(commands.inv("jobs.history", "--json", **url).out)
    assert re.fullmatch(who, state["stop_reason"])
    again = commands.inv("jobs.stop", str(run), **url)
    refused = f"Refused: run {run} of expire_trials is not running (stopped early)"
    assert (again.code, again.out) == (3, "")
    assert again.err == f"CommandError: {refused}; nothing was changed.\n"
