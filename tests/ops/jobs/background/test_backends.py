"""Which backend takes the jobs, and what it is given."""

import importlib
import uuid

import pytest

from django_runbook.config import ConfigError
from django_runbook.jobs.background import Backend, Errand, backend, backends, hand_over, work
from django_runbook.jobs.background.backends import as_task
from django_runbook.jobs.errors import FailedError
from tests.ops.jobs.background.taken import DUMMY, IMMEDIATE, LIBRARY, REFUSES, TAKES, Takes

TOKEN = uuid.UUID("12345678-1234-4234-8234-123456789abc")
ERRAND = Errand(command="run_job", subject="tidy", by="ada", token=TOKEN, words=("--allow=3",))


@pytest.fixture(autouse=True)
def taken(monkeypatch):
    """Return what a test hands over."""
    monkeypatch.setattr(Takes, "taken", [])
    return Takes.taken


@pytest.mark.parametrize(
    ("tasks", "found"),
    [
        ({}, None),
        ({"other": {"BACKEND": TAKES}}, None),
        ({"default": {"BACKEND": IMMEDIATE}}, None),
        ({"default": {"BACKEND": DUMMY}}, None),
        ({"default": {"BACKEND": TAKES}}, ("default", "default")),
        ({"default": {"BACKEND": TAKES, "QUEUES": []}}, ("default", "default")),
        ({"default": {"BACKEND": TAKES, "QUEUES": ["slow", "mail"]}}, ("default", "mail")),
        ({"default": {"BACKEND": TAKES, "QUEUES": ["default", "runbook"]}}, ("default", "runbook")),
        (
            {"default": {"BACKEND": IMMEDIATE}, "runbook": {"BACKEND": TAKES}},
            ("runbook", "default"),
        ),
        ({"default": {"BACKEND": TAKES}, "runbook": {"BACKEND": DUMMY}}, None),
    ],
)
def test_backend_is_one_with_workers(settings, tasks, found):
    """Named runbook, else default; none that works in the request, and a queue that it accepts."""
    settings.TASKS = tasks
    assert backend() == (Backend(name=found[0], queue=found[1]) if found else None)


def test_without_tasks_or_their_library_there_is_none(settings, monkeypatch):
    """The setting may be missing, and so may both libraries: everything else works."""
    with monkeypatch.context() as patch:
        patch.setattr(backends, "settings", object())
        assert backend() is None
    settings.TASKS = {"default": {"BACKEND": TAKES}}
    monkeypatch.setattr(backends, "LIBRARIES", ("django_has.no_tasks", "nor.has.this"))
    assert backend() is None
    assert as_task(test_backend_is_one_with_workers) is test_backend_is_one_with_workers


def test_backend_that_cannot_be_loaded_is_a_wrong_setting(settings):
    """Which is told in one line, with the setting."""
    settings.TASKS = {"default": {"BACKEND": "nowhere.Backend"}}
    with pytest.raises(ConfigError) as told:
        backend()
    assert str(told.value) == (
        "settings.TASKS['default']: Could not find backend 'nowhere.Backend': "
        "No module named 'nowhere'"
    )


def test_errand_is_handed_over_as_json(settings, taken):
    """To the backend and the queue that were found, also where these change later."""
    for queues in (["a"], ["b"]):
        settings.TASKS = {"default": {"BACKEND": TAKES, "QUEUES": queues}}
        hand_over(ERRAND, backend())
    rest = {
        "command": "run_job",
        "subject": "tidy",
        "by": "ada",
        "token": str(TOKEN),
        "words": ["--allow=3"],
    }
    assert taken == [{"backend": "default", "queue": queue, **rest} for queue in ("a", "b")]


def test_backend_that_is_away_is_told_in_one_line(settings):
    """Whatever its error is, and without a password."""
    settings.TASKS = {"default": {"BACKEND": REFUSES}}
    with pytest.raises(FailedError) as told:
        hand_over(ERRAND, backend())
    assert str(told.value) == (
        "The task backend 'default' took nothing: no route to redis://me:***@queue/0. "
        "Nothing was started."
    )


def test_task_is_found_by_its_path(settings):
    """As every backend looks for it in a worker, whose process knows the backend from its start."""
    settings.TASKS = {"default": {"BACKEND": TAKES}}
    found = importlib.reload(work).work
    importlib.reload(work)
    assert found.module_path == "django_runbook.jobs.background.work.work"
    assert type(found).__module__ == f"{LIBRARY}.base"
