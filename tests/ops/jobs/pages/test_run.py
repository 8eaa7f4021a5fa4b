"""The page of a run: its facts by the command's own code, its progress, its rows."""

import io

import pytest
from django.core.management import call_command

from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.models import Batch, FailedRow, Run
from tests.ops.jobs.pages.pages import person, seen, superuser
from tests.ops.jobs.past_runs import MINUTE, SLOT, ran
from users.models import User

CHANGE = {
    "model": "accounts.account",
    "was": {"status": "TRIALING"},
    "to": {"status": "TRIAL_EXPIRED"},
}
KEPT = {**CHANGE, "was": {}, "to": {}, "kept": ["status"]}


@pytest.fixture
def run():
    """Return a run with all that a run can have."""
    made = ran(
        slot=SLOT,
        changed=5,
        due=6,
        batches=2,
        failed=52,
        change=CHANGE,
        allow=9,
        allow_reason="prices",
        parameters={"cutoff": "2026-01-01T00:00:00+00:00"},
        ci_url="https://ci.example/runs/7",
        output="one\ntwo \x1b[31m<b>red</b>\n",
        continues=ran("STOPPED"),
    )
    ran(undoes=made, changed=3)
    Batch.objects.create(run=made, number=1, changed=2, ids=[1, 2])
    return made


def show_lines(run: Run) -> list[str]:
    """Return the lines of `inv jobs.show`, spaces once."""
    out = io.StringIO()
    call_command("show_run", str(run.pk), stdout=out)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_facts_are_those_of_the_command(still, run):
    """Each line of the command stands on the page, but the number, and how it stands."""
    page = seen(superuser(), f"run/{run.pk}/change/")
    lines = show_lines(run)
    assert lines[1] == "status SUCCEEDED"
    for line in lines[2:]:
        assert line.removesuffix(":").removeprefix("output") in page.text, line
    assert page.text.startswith(f"Run {run.pk} succeeded expire_trials")
    assert "Goes on from run" in page.text
    assert "https://ci.example/runs/7" in page.links
    assert r"two \x1b[31m<b>red</b>" in page.text
    for other in (run.continues_id, run.undone_by.get().pk):
        assert f"/admin/runbook_jobs/run/{other}/change/" in page.links
    assert f"/admin/runbook_jobs/run/{run.pk}/batches/" in page.links


def test_next_step_is_told_where_there_is_one(still):
    """Of a run that was refused, with its reason."""
    run = ran("REFUSED", due=900, reason="Refused: 900 rows are due")
    page = seen(superuser(), f"run/{run.pk}/change/")
    assert (
        "refused by a guard expire_trials Refused: 900 rows are due "
        'next: inv jobs.run expire_trials -- --allow 900 --reason "..."' in page.text
    )


def test_failed_rows_are_listed(still, run):
    """Fifty, each with its page where the user may see it, and how many there are beside them."""
    FailedRow.objects.bulk_create(
        FailedRow(run=run, key=key, error="<i>wrong</i>") for key in range(1, 53)
    )
    page = seen(superuser(), f"run/{run.pk}/change/")
    assert page.text.count("<i>wrong</i>") == 50
    assert f"and 2 more: inv jobs.show {run.pk} --failed" in page.text
    assert page.links.count("/admin/accounts/account/50/change/") == 1
    viewer = person("view_run")
    assert "/admin/accounts/account/50/change/" not in seen(viewer, f"run/{run.pk}/change/").links


def test_progress_is_seen_while_it_runs():
    """A bar, batches, pace, what is left and the heart; and JSON of what moves."""
    now = database_now()
    run = ran("RUNNING", now - 5 * MINUTE, heartbeat=now, due=1000, changed=250, batches=2)
    for number, minutes in ((1, 2), (2, 1)):
        at = now - minutes * MINUTE
        Batch.objects.create(run=run, number=number, changed=120, ids=[number], finished=at)
    browser = superuser()
    page = seen(browser, f"run/{run.pk}/change/")
    assert '<progress aria-labelledby="rb-progress" max="1" value="0.2500"' in page.source
    assert (
        "25% Changed 250 of 1,000 row(s) Batches 2 Pace 2 rows a second Left about 6" in page.text
    )
    Run.objects.filter(pk=run.pk).update(changed=500, stop_asked=now)
    answer = browser.get(f"/admin/runbook_jobs/run/{run.pk}/live.json")
    assert "no-store" in answer["Cache-Control"]
    found = answer.json()
    assert (found["stamp"], found["every"], found["values"]) == ("RUNNING", 2, {"share": 0.5})
    assert (found["texts"]["rows"], found["texts"]["share"]) == ("500 of 1,000 row(s)", "50%")
    assert "asked to end" in found["texts"]["lasts"]
    Run.objects.filter(pk=run.pk).update(status="SUCCEEDED", finished=now)
    assert browser.get(f"/admin/runbook_jobs/run/{run.pk}/live.json").json()["stamp"] != "RUNNING"
    ended = seen(browser, f"run/{run.pk}/change/")
    assert ("progress" in ended.tags, "data-live-url" in ended.source) == (False, False)


def test_unknown_run_is_not_found():
    """By a number, by none, and by one that no database can hold."""
    browser = superuser()
    for pk in ("7", "x", "9" * 30):
        assert browser.get(f"/admin/runbook_jobs/run/{pk}/change/").status_code == 404
    for page in ("live.json", "batches/"):
        assert browser.get(f"/admin/runbook_jobs/run/7/{page}").status_code == 404


def test_rows_of_each_batch_are_linked(still, run):
    """Two hundred of a batch, five batches of a page, and who put rows back."""
    Batch.objects.filter(run=run).delete()
    for number in range(1, 8):
        ids = list(range(1, 204)) if number == 1 else [f"a/{number}"]
        Batch.objects.create(run=run, number=number, changed=len(ids), ids=ids, finished=SLOT)
    browser = superuser()
    page = seen(browser, f"run/{run.pk}/batches/")
    assert page.text.startswith(
        f"Rows of run {run.pk} expire_trials: accounts.account: status TRIALING -> TRIAL_EXPIRED "
        f"Rows were put back by run {run.undone_by.get().pk}. "
        "Batch 1 203 row(s), 2026-03-02 04:17 UTC 1 2 3"
    )
    assert "and 3 more" in page.text
    assert sum("/accounts/account/" in link for link in page.links) == 204
    assert "/admin/accounts/account/a_2F5/change/" in page.links
    assert page.links[-1] == "?after=5"
    last = seen(browser, f"run/{run.pk}/batches/?after=5")
    assert "Batch 6 1 row(s)" in last.text
    assert last.links[-1] == "?"
    beyond = seen(browser, f"run/{run.pk}/batches/?after=99")
    assert "The ledger has no further batch of this run." in beyond.text


def test_values_are_shown_to_whoever_may_see_the_rows(still):
    """What each row was and became, where the batch kept it; the keys alone to anybody else."""
    run = ran(changed=2, batches=1, change=KEPT)
    Batch.objects.create(
        run=run, number=1, changed=2, ids=[1, 2], old=[["secret"], ["b"]], new=[["c"]]
    )
    page = seen(superuser(), f"run/{run.pk}/batches/")
    assert "Row status, before status, after 1 secret c 2 b (broken in the ledger)" in page.text
    viewer = seen(person("view_run"), f"run/{run.pk}/batches/")
    assert ("secret" in viewer.text, "1 2" in viewer.text) == (False, True)
    assert not any("/accounts/" in link for link in viewer.links)


def test_story_of_a_row_leads_to_its_runs(still):
    """The lines of the command; and a sentence where there is no such row."""
    user = User.objects.create_user("grace")
    account = user.account
    run = ran(changed=1, batches=1, change=CHANGE)
    Batch.objects.create(run=run, number=1, changed=1, ids=[account.pk])
    browser = superuser()
    path = "job/expire_trials/explain/"
    page = seen(browser, f"{path}?row=grace")
    out = io.StringIO()
    call_command("explain_job", "grace", job="expire_trials", stdout=out)
    for line in out.getvalue().splitlines():
        assert " ".join(line.split()) in page.text
    assert f"/admin/runbook_jobs/run/{run.pk}/change/" in page.links
    assert f"/admin/accounts/account/{account.pk}/change/" in page.links
    none = seen(browser, f"{path}?row=%00%3Cscript%3E")
    assert "No account answers to" in none.text
    assert "<script>" in none.text
    assert seen(browser, path).text == "The story of a row Row"
    assert browser.get("/admin/runbook_jobs/job/clearsessions/explain/").status_code == 404
    refused = person("view_job").get(f"/admin/runbook_jobs/{path}?row=grace")
    assert refused.status_code == 403
