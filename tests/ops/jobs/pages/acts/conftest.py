"""Users with one permission each, accounts that are due, and workers that keep what they get."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from tests.ops.jobs import books
from tests.ops.jobs.background.taken import TAKES, Takes
from users.models import User


@pytest.fixture
def taken(settings, monkeypatch):
    """Return what is handed to the workers, of whom there are some."""
    monkeypatch.setattr(Takes, "taken", [])
    settings.TASKS = {"default": {"BACKEND": TAKES}}
    return Takes.taken


@pytest.fixture
def as_user(client, settings):
    """Return what logs somebody in who may do what is named, and look at the jobs and runs."""
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["testserver"]

    def logged_in(*codenames):
        user = User.objects.create_user("ada", is_staff=True)
        names = ("view_job", "view_run", *codenames)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(user)
        return client

    return logged_in


@pytest.fixture
def four(db):
    """Open four accounts that are due now; return their keys."""
    return books.open_accounts(4, created=timezone.now() - books.DAY * 70)


@pytest.fixture
def guarded(monkeypatch):
    """Let the target of the jobs be a protected one, though this is a test run."""
    for module in ("schema.guard.confirmation", "jobs.pages.acts.looking"):
        monkeypatch.setattr(f"django_runbook.{module}.in_test_run", lambda: False)
    monkeypatch.setattr(
        "django_runbook.schema.database.target.protected_because", lambda *_: "it is precious"
    )


def job(act, name="expire_5Ftrials"):
    """Return the address of an act on a job."""
    return f"/admin/runbook_jobs/job/{name}/{act}/"


def run(act, pk):
    """Return the address of an act on a run."""
    return f"/admin/runbook_jobs/run/{pk}/{act}/"


def told(answer):
    """Return the messages of an answer that leads back."""
    return [str(message) for message in answer.context["messages"]]


def token(answer):
    """Return the token of the form on a page."""
    return str(answer.context["shows"].form["token"].value())
