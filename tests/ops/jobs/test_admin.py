"""The ledger in the admin: it can be read, and nothing else."""

import datetime

import pytest

from django_runbook.jobs.models import Run, Slot
from users.models import User

pytestmark = pytest.mark.django_db

SLOT = datetime.datetime(2026, 3, 2, 4, 17, tzinfo=datetime.UTC)


@pytest.fixture
def admin(client, settings):
    """Return a client that is logged in as a superuser, over plain HTTP."""
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["testserver"]
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def run():
    """Return a run whose heart has stopped, with its slot."""
    made = Run.objects.create(
        job="expire_trials", slot=SLOT, heartbeat=SLOT, batches=97, user="me", host="laptop"
    )
    Slot.objects.create(job="expire_trials", at=SLOT, run=made)
    return made


def test_runs_are_listed_with_what_they_did(admin, run):
    """The batches, who, and how far it came: lost, before anybody has marked it."""
    page = admin.get("/admin/runbook_jobs/run/?q=expire&job=expire_trials").content.decode()
    row = page.partition("<tbody>")[2]
    for text in (
        ">97<",
        ">me@laptop<",
        'how_far">lost: its heartbeat stopped<',
        "March 2, 2026, 4:17 a.m.",
    ):
        assert text in row
    assert ">me@laptop<" not in admin.get("/admin/runbook_jobs/run/?q=other").content.decode()


def test_run_and_slot_can_be_read(admin, run):
    """Each has its page, without a button to save or to delete."""
    for path in (f"run/{run.pk}", f"slot/{run.slots.get().pk}"):
        page = admin.get(f"/admin/runbook_jobs/{path}/change/")
        assert page.status_code == 200
        assert 'name="_save"' not in page.content.decode()
        assert admin.get(f"/admin/runbook_jobs/{path}/delete/").status_code == 403


@pytest.mark.parametrize("model", ["run", "slot"])
def test_nothing_can_be_added_or_deleted(admin, run, model):
    """Not one, and not many at once."""
    assert admin.get(f"/admin/runbook_jobs/{model}/add/").status_code == 403
    page = admin.get(f"/admin/runbook_jobs/{model}/").content.decode()
    assert ("delete_selected" in page, f"/runbook_jobs/{model}/add/" in page) == (False, False)
    keys = {"action": "delete_selected", "_selected_action": [run.pk], "post": "yes"}
    admin.post(f"/admin/runbook_jobs/{model}/", keys)
    assert (Run.objects.count(), Slot.objects.count()) == (1, 1)
