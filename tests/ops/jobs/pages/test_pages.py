"""What holds of every page: who may see it, on which site, at what cost, of what ledger."""

import datetime
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext

from django_runbook.config import ConfigError, Job
from django_runbook.jobs.models import Batch, FailedRow, Run
from tests.ops.jobs.pages.pages import logged_in, person, seen, superuser
from tests.ops.jobs.past_runs import DAY, SLOT, paused, ran
from users.models import User

CHANGE = {"model": "accounts.account", "was": {}, "to": {"status": "ACTIVE"}}
HOSTILE = (
    '"><script>alert(1)</script>',
    "two\nlines\r\nand '; -- a quote",
    "\x1b[31m\u202egnp.exe",
    "a/../b?c=d&e#f%2F_2F",
    "..",
    ".",
    "",
    " ",
    "{{ 7|add:7 }}",
    "é漢字",
)


@pytest.fixture
def paths():
    """Return every page and answer of a run and its job, with the permission that each needs."""
    run = ran("FAILED", change=CHANGE, changed=1, batches=1, failed=1, output="out")
    Batch.objects.create(run=run, number=1, changed=1, ids=[1])
    FailedRow.objects.create(run=run, key=1, error="wrong")
    return {
        "job/": "view_job",
        "job/live.json": "view_job",
        "job/expire_trials/change/": "view_job",
        f"run/{run.pk}/change/": "view_run",
        f"run/{run.pk}/live.json": "view_run",
        f"run/{run.pk}/batches/": "view_run",
    }


def test_each_page_needs_its_permission(client, paths):
    """Others of the staff are refused, and whoever is not logged in is asked to."""
    stranger = person(name="stranger")
    browsers = {name: person(name, name=name) for name in ("view_job", "view_run")}
    for page, permission in paths.items():
        address = f"/admin/runbook_jobs/{page}"
        asked = client.get(address)
        assert (asked.status_code, asked["Location"]) == (302, f"/admin/login/?next={address}")
        assert stranger.get(address).status_code == 403
        for name, browser in browsers.items():
            assert browser.get(address).status_code == (200 if name == permission else 403), page
        assert browsers[permission].post(address).status_code == 405


def test_admin_index_leads_to_the_jobs(still):
    """To whoever may view them."""
    assert "/admin/runbook_jobs/job/" in superuser().get("/admin/").content.decode()


@pytest.mark.urls("tests.ops.jobs.pages.backstage")
def test_another_site_leads_to_itself(paths):
    """Each link of a site of another name stays on it, and the rows' pages are its own."""
    browser = superuser()
    for page in paths:
        if page.endswith(".json"):
            continue
        shown = seen(browser, f"/backstage/runbook_jobs/{page}")
        inside = [link for link in shown.links if link.startswith("/")]
        assert inside
        assert all(link.startswith("/backstage/") for link in inside), inside
        assert "/admin/" not in shown.source.replace("/static/admin/", "")
    assert any(link.startswith("/backstage/accounts/account/1/") for link in shown.links)


@pytest.mark.engines("sqlite")  # PostgreSQL breaks off the test's transaction
def test_ledger_without_tables_is_told_in_the_command_s_line(paths, still):
    """Each page says the one line of the commands, and no page is a fault of the server."""
    browser = superuser()
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").delete()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE runbook_jobs_run RENAME TO runbook_jobs_gone")
    line = "runbook_jobs.0001_initial is not applied. Run 'inv db.migrate' first."
    with pytest.raises(CommandError, match="0001_initial is not applied") as refused:
        call_command("job_status")
    assert str(refused.value) == line
    for page in paths:
        answer = browser.get(f"/admin/runbook_jobs/{page}")
        told = (
            answer.json()["error"] if page.endswith(".json") else unescape(answer.content.decode())
        )
        assert (answer.status_code, line in told) == (503, True), page


def test_wrong_declaration_is_told_in_one_line(paths, monkeypatch):
    """What the commands say of pyproject.toml."""

    def wrong(*_args):
        raise ConfigError("pyproject.toml: [tool.django-runbook] cron is wrong.")

    monkeypatch.setattr("django_runbook.jobs.registry.of_settings", wrong)
    page = seen(superuser(), "job/", 503)
    assert page.text == "Jobs pyproject.toml: [tool.django-runbook] cron is wrong."


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name, still, declare):
    """Whatever a name, a reason, an output or a key holds, pages are whole and obey nothing."""
    run = ran(
        "FAILED",
        job=name,
        reason=name,
        output=name * 3,
        user=name[:150],
        changed=1,
        batches=1,
        failed=1,
        change={"model": name, "was": {}, "to": {name: name}},
        arguments=[name],
        parameters={name: name},
    )
    Batch.objects.create(run=run, number=1, changed=1, ids=[name])
    FailedRow.objects.create(run=run, key=name, error=name)
    paused(SLOT, SLOT + DAY, job=name, reason=name, who=name)
    browser = superuser()
    jobs = seen(browser, "job/")
    pages = [jobs, seen(browser, f"run/{run.pk}/change/"), seen(browser, f"run/{run.pk}/batches/")]
    of_job = [link for link in jobs.links if link.endswith("/change/") and "/job/" in link]
    assert len(of_job) == (1 if name in {"", ".", ".."} else 2)
    pages += [seen(browser, link) for link in of_job]
    for page in pages:
        assert "<script>alert" not in page.source
        assert "\x1b" not in page.source
        assert "\u202e" not in page.source
    assert browser.get("/admin/runbook_jobs/job/live.json").status_code == 200


@pytest.mark.parametrize("broken", [[], "text", 7, {"model": 7}, {"model": "a.b.c", "to": {}}])
def test_broken_ledger_is_shown_as_broken(broken, still):
    """JSON of any kind where a change, parameters or keys should be, breaks no page."""
    run = ran("FAILED", changed=1, batches=1)
    Run.objects.filter(pk=run.pk).update(change=broken, parameters=broken, arguments=broken)
    Batch.objects.create(run=run, number=1, changed=1, keys={"a": 1})
    Batch.objects.create(run=run, number=2, changed=1, ids=[{"a": [1]}])
    browser = superuser()
    page = seen(browser, f"run/{run.pk}/change/")
    assert "(broken in the ledger)" in page.text
    rows = seen(browser, f"run/{run.pk}/batches/")
    assert "Batch 1 1 row(s)" in rows.text
    assert "(broken in the ledger)" in rows.text


def test_each_page_asks_little(paths, still, declare):
    """With thirty jobs, at most nine queries more than the admin's own index."""
    jobs = [Job(name=f"job{number}", cron="17 4 * * *") for number in range(30)]
    declare(*jobs)
    for job in jobs:
        for night in range(5):
            ran(job=job.name, started=SLOT - night * DAY, slot=SLOT - night * DAY)
    user = User.objects.create_user("eve", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    for browser in (superuser(), logged_in(user)):
        counted = {}
        for page in ("/admin/", *(f"/admin/runbook_jobs/{each}" for each in paths)):
            browser.get(page)
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(page).status_code == 200
            counted[page] = len(queries)
        most = counted.pop("/admin/") + 9
        assert {page: count for page, count in counted.items() if count > most} == {}


def test_times_are_read_in_utc(still):
    """Each time stands in an element that says it in UTC, whatever zone the site has."""
    ran(started=SLOT)
    page = seen(superuser(), "job/expire_trials/change/")
    at = SLOT.astimezone(datetime.UTC)
    assert f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>' in page.source
