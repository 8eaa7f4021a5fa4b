"""A real worker does what a page hands over: with slots, limits, overlap, stop and the ledger."""

import signal
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model

from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Run
from tests.ops.jobs.background.conftest import run, until

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]

GREET = "job/greet_5Fslowly/run"
ALLOWED = {"allow": "6000", "reason": "all are new"}
HERE = Who.here().host


def handed(answers):
    """Return the answers with the name of the task left out."""
    return [[code, *(line.partition(" as task ")[0] for line in said)] for code, *said in answers]


def greeted():
    """Return how many users were greeted."""
    return get_user_model().objects.filter(first_name="Ada").count()


def ended(site, count):
    """Wait until so many tasks have come to their end; return how."""

    def found():
        tasks = site.tasks()
        is_over = all(task["status"] in {"SUCCESSFUL", "FAILED"} for task in tasks)
        return tasks if is_over and len(tasks) == count else None

    return until(found)


def below(worker):
    """Return every process that a worker has started."""
    return psutil.Process(worker.pid).children(recursive=True)


def test_run_is_refused_stopped_undone_and_told(site):
    """By its limits; after a batch; and all of it in the ledger and in the admin's log, by whom."""
    site.work()
    assert handed(site.ask(GREET)) == [[200], [200, "Handed to the workers"]]
    refused = run(1, "REFUSED")
    why = "Refused: 6,000 rows are due, more than 50% of 6,000 (max_share); nothing was changed."
    assert refused.reason.startswith(why)

    site.ask(GREET, **ALLOWED)
    until(lambda: Run.objects.filter(pk=2, batches__gt=0))
    answers = site.ask("run/2/stop", reason="wrong list")
    assert answers == [[200], [200, "Run 2 of greet_slowly ends after its batch."]]
    stopped = run(2, "STOPPED")
    assert 0 < stopped.changed < stopped.due == 6000
    assert stopped.changed == greeted()
    facts = (stopped.user, stopped.host, stopped.allow, stopped.allow_reason, stopped.reason)
    said = f"alice@{HERE} (in the admin): wrong list"
    assert facts == ("alice", HERE, 6000, "all are new", said)
    assert stopped.parameters["asked"] == "for by alice in the admin"

    site.ask("run/2/undo")
    undo = run(3, "SUCCEEDED")
    assert (undo.undoes_id, undo.changed, undo.user) == (2, stopped.changed, "alice")
    assert greeted() == 0
    told = ended(site, 3)
    assert [(task["status"], task["said"]["code"], task["said"]["run"]) for task in told] == [
        ("SUCCESSFUL", 3, 1),
        ("SUCCESSFUL", 4, 2),
        ("SUCCESSFUL", 0, 3),
    ]
    assert told[1]["said"]["line"].startswith("Run 2 of greet_slowly: stopped early after ")
    assert told[2]["said"]["line"] == "Run 3 of greet_slowly: succeeded"
    undone = f"Undo run 2 of greet_slowly: users.user, first_name Ada -> , {rows(stopped)}"
    log = [(str(one.user), one.object_id, one.change_message) for one in LogEntry.objects.all()]
    assert [(user, about, text.rpartition(" as ")[0] or text) for user, about, text in log] == [
        (
            "alice",
            "2",
            f"{undone}: handed to the workers",
        ),
        ("alice", "2", f"Run 2 of greet_slowly was asked to end, by {said}"),
        ("alice", "greet_slowly", "Run greet_slowly: handed to the workers"),
        ("alice", "greet_slowly", "Run greet_slowly: handed to the workers"),
    ]


def rows(of):
    """Return the numbers of a run in words."""
    batches = "1 batch" if of.batches == 1 else f"{of.batches} batches"
    return f"{of.changed:,} row(s) in {batches}"


def test_killed_worker_takes_its_run_along_and_the_next_goes_on(site):
    """SIGKILL in the middle: the run ends after a batch, nothing is left, the rest is done next."""
    worker = site.work()
    site.ask(GREET, **ALLOWED)
    until(lambda: Run.objects.filter(pk=1, batches__gt=0))
    others = below(worker)
    assert len(others) >= 4  # two watchdogs, run_job and the command
    worker.kill()
    _gone, alive = psutil.wait_procs(others, timeout=15)
    assert alive == []
    first = run(1, "STOPPED", "LOST")
    assert 0 < first.changed < 6000

    site.work()
    site.ask(GREET, **ALLOWED)
    second = run(2, "SUCCEEDED")
    assert (second.continues_id, second.changed) == (1, 6000 - first.changed)
    assert greeted() == 6000


def test_second_signal_ends_the_run_in_order(site):
    """The first lets a worker end after its task, the second now: the run stops after its batch."""
    worker = site.work()
    site.ask(GREET, **ALLOWED)
    until(lambda: Run.objects.filter(pk=1, batches__gt=0))
    others = below(worker)
    worker.send_signal(signal.SIGTERM)
    until(lambda: "shutting down gracefully" in site.log.read_text())
    assert Run.objects.get().status == "RUNNING"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert psutil.wait_procs(others, timeout=5)[1] == []
    stopped = Run.objects.get()
    assert (stopped.status, stopped.reason) == ("STOPPED", "SIGTERM")
    assert stopped.changed == greeted()


def test_task_that_is_delivered_twice_runs_once(site):
    """To two workers at once, and again later: the ledger has its token."""
    answers = site.ask(GREET, times=2, **ALLOWED)
    more = "This was handed to the workers already; nothing more was started."
    assert handed(answers) == [[200], [200, "Handed to the workers"], [200, more]]
    twice = (
        "from django_tasks_db.models import DBTaskResult as Task; import uuid; "
        "task = Task.objects.get(); task.pk = uuid.uuid4(); task.save(force_insert=True)"
    )
    assert site.manage("shell", "-v0", "-c", twice).code == 0
    site.work()
    site.work()
    first = run(1, "SUCCEEDED")
    told = ended(site, 2)
    assert sorted(task["said"]["code"] for task in told) == [0, 3]
    (again,) = (task["said"] for task in told if task["said"]["code"])
    assert again["run"] == 1
    assert again["line"].startswith(
        "CommandError: Refused: this was done already, as run 1 of greet_slowly ("
    )
    assert (Run.objects.count(), first.changed, greeted()) == (1, 6000, 6000)


def test_job_does_not_overlap_in_two_workers(site):
    """Two that ask at once: overlap = "skip" lets the second skip, and says so."""
    site.work()
    site.work()
    site.ask(GREET, **ALLOWED)
    run(1, "RUNNING")
    twin = (
        "from django_runbook.jobs.background import *; import uuid; "
        "print(hand_over(Errand(command='run_job', subject='greet_slowly', by='bob', "
        "token=uuid.uuid4()), backend()))"
    )
    assert site.manage("shell", "-v0", "-c", twin).code == 0
    second = run(2, "SKIPPED")
    assert second.user == "bob"
    assert run(1, "SUCCEEDED").changed == 6000
    assert [task["said"]["code"] for task in ended(site, 2)] == [0, 0]


def test_failure_is_one_line_of_the_task(site):
    """The backend marks it as failed; nobody does it again."""
    site.work()
    code = (
        "from django_runbook.jobs.background import *; import uuid; "
        "hand_over(Errand(command='run_job', subject='odd', by='alice', token=uuid.uuid4(), "
        "words=('code', '7')), backend())"
    )
    assert site.manage("shell", "-v0", "-c", code).code == 0
    failed = run(1, "FAILED")
    (task,) = ended(site, 1)
    assert (task["status"], task["said"]) == ("FAILED", None)
    line = task["error"].removeprefix("django_runbook.jobs.errors.FailedError: ")
    assert line.startswith("Run 1 of odd: failed after ")
    assert line.endswith(" s: exit code 7")
    assert (failed.user, Run.objects.count()) == ("alice", 1)


def test_protected_target_is_confirmed_by_the_worker_as_well(site):
    """The undo is given the name that was typed; a wrong one is refused on the page."""
    site.work()
    site.ask(GREET, **ALLOWED)
    run(1, "SUCCEEDED")
    for worker in site._started:
        worker.kill()
    site.extra["ENVIRONMENT"] = "production"
    site.extra["DEBUG"] = "true"
    site.work()
    name = Path(site.extra["DATABASE_URL"].partition("?")[0]).name
    wrong = site.ask("run/1/undo", name="another")
    assert wrong == [[200], [409, f"Refused: 'another' is not {name}; nothing was changed."]]
    assert handed(site.ask("run/1/undo", name=name))[1] == [200, "Handed to the workers"]
    assert run(2, "SUCCEEDED").changed == 6000
    said = "Undo run 1 of greet_slowly: users.user, first_name Ada -> , 6,000 row(s) in "
    (line,) = (line for line in site.log.read_text().splitlines() if line.startswith(said))
    assert ", in: production " in line


def test_token_is_of_one_run(site):
    """A run of another job with the same token is the same errand, and is not done again."""
    token = str(uuid.uuid4())
    first = site.manage("run_job", "odd", "--token", token, "--", "code", "0")
    again = site.manage("run_job", "odd", "--token", token, "--", "code", "0")
    assert (first.code, again.code, again.out) == (0, 3, "")
    assert again.err == (
        "CommandError: Refused: this was done already, as run 1 of odd (succeeded); "
        "nothing was changed.\n"
    )


def test_command_is_started_where_no_manage_py_is_declared(site):
    """By Django's own module, which is not started as a script: its folder has an ``http``."""
    argv = (sys.executable, "-P", "-m", "django", "run_job", "odd", "--", "code", "0")
    done = site._commands.run(*argv, **site.extra)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("Run 1 of odd: succeeded after ")
