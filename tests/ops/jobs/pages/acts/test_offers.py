"""What is offered to a user, of a job and of a run as they stand."""

from types import SimpleNamespace

import pytest
from django.contrib import admin
from django.test import RequestFactory

from django_runbook.config import Job
from django_runbook.jobs.ledger.reading.history import state, with_pulse
from django_runbook.jobs.models import Run
from django_runbook.jobs.pages.acts import Act, offered_for_job, offered_for_run

JOBS = {"dry-run": "Dry run", "run": "Run now", "pause": "Pause", "resume": "Resume"}
RUNS = {"stop": "Stop after this batch", "undo": "Undo"}
ALL = ("run_job", "pause_job", "stop_run", "undo_run")


def request(*codenames):
    """Return a request of somebody who may do what is named."""
    made = RequestFactory().get("/")
    made.user = SimpleNamespace(has_perm=lambda name: name.partition(".")[2] in codenames)
    return made


def offers_of_job(*codenames, name="tidy", declared=True, transition=True, paused=None):
    """Return what is offered of a job."""
    details = SimpleNamespace(
        job=Job(name=name),
        declared=declared,
        transition=transition,
        health=SimpleNamespace(paused=paused),
    )
    return offered_for_job(request(*codenames), admin.site, details)


@pytest.mark.parametrize(
    ("may", "how", "offered"),
    [
        ((), {}, []),
        (ALL, {}, ["dry-run", "run", "pause"]),
        (ALL, {"paused": object()}, ["dry-run", "resume"]),
        (ALL, {"transition": False}, ["run", "pause"]),
        (ALL, {"declared": False}, ["dry-run", "run", "pause"]),
        (ALL, {"declared": False, "transition": False}, ["pause"]),
        (ALL, {"name": ".."}, []),
        (("run_job",), {}, ["dry-run", "run"]),
        (("pause_job",), {}, ["pause"]),
        (("stop_run", "undo_run"), {}, []),
    ],
)
def test_job_offers_what_it_can(taken, may, how, offered):
    """And what the user may do."""
    assert offers_of_job(*may, **how) == [
        Act(name=act, label=JOBS[act], url=f"/admin/runbook_jobs/job/tidy/{act}/")
        for act in offered
    ]


def test_without_workers_the_command_stands_in_place_of_the_link(settings):
    """For what would be handed to them."""
    settings.TASKS = {}
    run = next(act for act in offers_of_job("run_job") if act.name == "run")
    assert run.reason == "inv jobs.run tidy"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("may", "values", "undo", "offered"),
    [
        (ALL, {"status": "RUNNING"}, "", ["stop"]),
        (ALL, {"status": "RUNNING", "stop_reason": "you"}, "", []),
        (("undo_run",), {"status": "RUNNING"}, "", []),
        (ALL, {"status": "SUCCEEDED"}, "", ["undo"]),
        (ALL, {"status": "STOPPED"}, "", ["undo"]),
        (("stop_run",), {"status": "STOPPED"}, "", []),
        (ALL, {"status": "SUCCEEDED", "changed": 0}, "", []),
        (ALL, {"status": "SUCCEEDED", "job": "clearsessions"}, "", []),
        (ALL, {"status": "SUCCEEDED"}, "STOPPED", ["undo"]),
        (ALL, {"status": "SUCCEEDED"}, "SUCCEEDED", []),
    ],
)
def test_run_offers_what_it_can(taken, may, values, undo, offered):
    """A stop while it runs, an undo of what it changed and nobody has undone."""
    made = Run.objects.create(**{"job": "expire_trials", "changed": 3, **values})
    if undo:
        Run.objects.create(job=made.job, undoes=made, status=undo, changed=1)
    found = state(with_pulse(Run.objects).get(pk=made.pk))
    acts = offered_for_run(request(*may), admin.site, found)
    assert acts == [
        Act(name=act, label=RUNS[act], url=f"/admin/runbook_jobs/run/{made.pk}/{act}/")
        for act in offered
    ]


@pytest.mark.django_db
def test_undo_without_workers_is_typed(settings):
    """The command stands there."""
    settings.TASKS = {}
    made = Run.objects.create(job="expire_trials", changed=3, status="SUCCEEDED")
    found = state(with_pulse(Run.objects).get(pk=made.pk))
    (undo,) = offered_for_run(request("undo_run"), admin.site, found)
    assert undo.reason == f"inv jobs.undo {made.pk}"


def test_wrong_setting_does_not_hide_the_page(settings):
    """The act's own page says what is wrong."""
    settings.TASKS = {"default": {"BACKEND": "nowhere.Backend"}}
    assert [act.reason for act in offers_of_job("run_job")] == ["", ""]
