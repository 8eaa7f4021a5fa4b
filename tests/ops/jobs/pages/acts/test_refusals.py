"""Who may do what; the answer to anything else is a line and its status, never an error."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.test import Client

from django_runbook.config import ConfigError
from django_runbook.jobs.ledger import pauses
from django_runbook.jobs.models import Pause, Run
from django_runbook.jobs.pages.acts import looking
from django_runbook.jobs.pages.acts.visits import PERMISSIONS
from tests.ops.jobs.pages.acts.conftest import job, run

pytestmark = pytest.mark.django_db

JOBS = ("run", "dry-run", "pause", "resume")
RUNS = ("stop", "undo")
ALL = ("run_job", "pause_job", "stop_run", "undo_run")


def address(act):
    """Return the address of an act on a job, or on a run that there is."""
    if act in JOBS:
        return job(act)
    return run(act, Run.objects.create(job="expire_trials", status="RUNNING").pk)


@pytest.mark.parametrize("act", [*JOBS, *RUNS])
@pytest.mark.parametrize("method", ["get", "post"])
def test_act_needs_its_own_permission(as_user, taken, act, method):
    """Every other one is not enough, and nothing is done."""
    others = [name for name in ALL if name != PERMISSIONS[act]]
    answer = getattr(as_user(*others), method)(address(act), {"reason": "so"})
    assert answer.status_code == 403
    asked = Run.objects.exclude(stop_asked=None).count()
    assert (taken, asked, Pause.objects.count(), LogEntry.objects.count()) == ([], 0, 0, 0)


@pytest.mark.parametrize("act", [*JOBS, *RUNS])
def test_who_is_not_logged_in_is_asked_to(client, settings, act):
    """As on every page of the admin."""
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["testserver"]
    answer = client.post(address(act), {"reason": "so"})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize("act", [*JOBS, *RUNS])
def test_form_of_another_site_is_refused(as_user, taken, act):
    """Without the token of this one, that is of Django's protection against forged requests."""
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = as_user(*ALL).cookies
    assert browser.post(address(act), {"reason": "so"}).status_code == 403
    assert (taken, Pause.objects.count(), LogEntry.objects.count()) == ([], 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("act", JOBS)
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", ["nothing", "flush", "_3Cb_3E", "a_2Fb", "%2E"])
def test_job_that_nobody_knows_is_told(as_user, taken, act, method, name):
    """A management command is no job before somebody has made it one."""
    answer = getattr(as_user(*ALL), method)(job(act, name), {"reason": "so"})
    assert answer.status_code == 404
    assert answer.context["line"].startswith("There is no job '")
    assert answer.context["line"].endswith("'. 'inv jobs.list' lists them.")
    assert (taken, Pause.objects.count()) == ([], 0)


@pytest.mark.parametrize("method", ["get", "post"])
def test_command_that_is_only_known_to_have_run_is_not_started(as_user, taken, method):
    """Whoever may run jobs may not run what was once typed on a terminal."""
    Run.objects.create(job="flush", status="SUCCEEDED")
    answer = getattr(as_user(*ALL), method)(job("run", "flush"))
    line = (
        "Refused: flush is neither declared nor registered as a job; nothing was started. "
        "'inv jobs.run flush' on a terminal runs it."
    )
    assert (answer.status_code, answer.context["line"], taken) == (409, line, [])


@pytest.mark.parametrize("path", [job("explode"), job("stop"), run("pause", 1)])
def test_unknown_act_is_no_page(as_user, path):
    """Nor is one of a run on a job."""
    assert as_user(*ALL).get(path).status_code in {404, 302}


@pytest.mark.parametrize("act", [*JOBS, *RUNS])
def test_other_methods_are_refused(as_user, act):
    """With those that are not."""
    answer = as_user(*ALL).put(address(act))
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("server closed the connection\nunexpectedly"), 503),
        (ConfigError("pyproject.toml: jobs.a.cron = 'x'\nis wrong"), 409),
    ],
)
@pytest.mark.parametrize("act", JOBS)
def test_error_is_one_line(as_user, monkeypatch, act, error, status):
    """Of the database, and of the configuration."""

    def fail(_name):
        raise error

    monkeypatch.setattr(looking, "known", fail)
    answer = as_user(*ALL).get(job(act))
    line = answer.context["line"]
    assert (answer.status_code, "\n" in line) == (status, False)
    assert line.startswith(str(error).partition("\n")[0])


def test_times_without_a_zone_are_refused(as_user, settings):
    """As every command of the jobs refuses them."""
    client = as_user(*ALL)
    settings.USE_TZ = False
    answer = client.get(job("pause"))
    assert (answer.status_code, answer.context["line"][:26]) == (409, "Refused: USE_TZ is False, ")


def test_page_is_strict_and_harmless(as_user, four, taken):
    """No style or script within it, none from elsewhere; what was typed by others is text."""
    client = as_user(*ALL)
    bad = "<script>alert(1)</script>\x1b[31m"
    pauses.pause("clearsessions", until=None, reason=bad, who=pauses.Who(user=bad, host="h"))
    pages = [
        client.get(address(act)).content.decode() for act in ("run", "dry-run", "pause", "stop")
    ]
    pages.append(client.get(job("resume", "clearsessions")).content.decode())
    pages.append(client.get(run("undo", 99)).content.decode())
    for page in pages:
        inline = re.findall(r"<script(?![^>]*src=)[^>]*>|<style|\sstyle=|\son\w+=", page)
        assert [found for found in inline if "application/json" not in found] == []
        assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
        assert "alert(1)</script>" not in page
        assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in pages[4]
