"""The ledger in the admin: it can be read, and what is kept no longer can be removed."""

import dataclasses
import datetime

import pytest
from django.contrib.auth.models import Permission

from django_runbook.config import of_settings
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import retention
from django_runbook.jobs.models import Batch, Pause, Run, Slot
from tests.ops.jobs.past_runs import ran
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


OLD = datetime.timedelta(days=400)


@pytest.fixture
def keep(monkeypatch):
    """Let runs be kept for a year."""
    config = dataclasses.replace(of_settings(), keep_days=365)
    monkeypatch.setattr("django_runbook.jobs.admin.of_settings", lambda: config)


@pytest.fixture
def past():
    """Return old runs: one that goes, one with batches, its undo, a later one; ten stay."""
    at = database_now() - OLD
    change = {"model": "accounts.account", "changed": 2, "batches": 1}
    first, undone = ran(started=at), ran(started=at, **change)
    undo = ran(started=at, undoes=undone, **change)
    later = ran(started=at, **change)
    for run in (undone, undo, later):
        Batch.objects.create(run=run, number=1, changed=2, ids=[1, 2])
    for _ in range(10):
        ran(started=at)
    return first, undone, undo, later


def delete(admin, *runs):
    """Delete runs as the list of them does; return the page that asks, and the answer."""
    asked = {"action": "delete_selected", "_selected_action": [run.pk for run in runs]}
    page = admin.post("/admin/runbook_jobs/run/", asked)
    return page, admin.post("/admin/runbook_jobs/run/", {**asked, "post": "yes"})


def test_run_that_is_kept_no_longer_can_be_deleted(admin, keep, past):
    """From its own page, with its undo and their batches."""
    _first, undone, undo, later = past
    path = f"/admin/runbook_jobs/run/{undone.pk}/delete/"
    page = admin.get(path)
    assert (page.status_code, f"run {undo.pk} of expire_trials" in page.content.decode()) == (
        200,
        True,
    )
    admin.post(path, {"post": "yes"})
    assert not Run.objects.filter(pk__in=[undone.pk, undo.pk]).exists()
    assert list(Batch.objects.values_list("run", flat=True)) == [later.pk]


def test_nothing_that_is_needed_can_be_deleted(admin, keep, past):
    """Not by its page, and not among others: neither what a job is judged by nor a young one."""
    first, _undone, _undo, later = past
    newest, young = Run.objects.order_by("-pk").first(), ran(started=database_now())
    Run.objects.filter(pk=young.pk).update(job="another")
    for run in (newest, young, later):
        assert admin.get(f"/admin/runbook_jobs/run/{run.pk}/delete/").status_code == 403
    count = Run.objects.count()
    page, _answer = delete(admin, first, newest, young)
    assert f"run {newest.pk} of expire_trials (succeeded): still needed" in page.content.decode()
    assert Run.objects.count() == count


def test_older_batches_go_first(admin, keep, past):
    """Together they go; the later one alone would be missed by an undo of the earlier one."""
    _first, undone, undo, later = past
    page, _answer = delete(admin, later)
    assert f"run {later.pk} of expire_trials" in page.content.decode()
    assert Run.objects.filter(pk=later.pk).exists()
    delete(admin, later, undone)
    assert not Run.objects.filter(pk__in=[undone.pk, undo.pk, later.pk]).exists()


def test_whoever_may_delete_nothing_deletes_nothing(client, settings, keep, past):
    """The permission is the user's own as well."""
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["testserver"]
    user = User.objects.create_user("ada", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    client.force_login(user)
    assert client.get(f"/admin/runbook_jobs/run/{past[0].pk}/delete/").status_code == 403
    page = client.get("/admin/runbook_jobs/run/").content.decode()
    assert "delete_selected" not in page
    delete(client, past[0])
    assert Run.objects.count() == 14


def test_run_that_is_needed_since_it_was_asked_for_stays(admin, keep, past, monkeypatch):
    """Whoever was too slow is refused, and nothing is removed."""
    monkeypatch.setattr(retention, "needed", lambda _job: {past[0].pk})
    with pytest.raises(RefusedError, match=f"Refused: run {past[0].pk} is still needed"):
        retention.remove([past[0].pk], database_now())
    assert Run.objects.count() == 14


def test_pauses_can_be_read_and_nothing_else(admin):
    """By whom, why and until when; `inv jobs.resume` ends one, for that is in the ledger too."""
    made = Pause.objects.create(job="tidy", since=SLOT, reason="new prices", who="me@laptop")
    page = admin.get("/admin/runbook_jobs/pause/").content.decode()
    for text in (">tidy<", ">new prices<", ">me@laptop<", "March 2, 2026, 4:17 a.m."):
        assert text in page.partition("<tbody>")[2]
    page = admin.get(f"/admin/runbook_jobs/pause/{made.pk}/change/")
    assert (page.status_code, 'name="_save"' in page.content.decode()) == (200, False)
    assert admin.get("/admin/runbook_jobs/pause/add/").status_code == 403
    assert admin.get(f"/admin/runbook_jobs/pause/{made.pk}/delete/").status_code == 403
