"""What is done on the pages, in a real browser, by a real worker."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.chromium import Watched
from tests.browser.conftest import Opened
from tests.browser.served import BOSS, VIEWER, Site

pytestmark = pytest.mark.browser
SLOW = "runbook_jobs/job/fill_5Fslowly/"
EXPIRE = "runbook_jobs/job/expire_5Ftrials/"
ROWS = re.compile(r"([\d,]+) of ([\d,]+) row")
SEEN = 45  # seconds until a page must show what a worker does


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """Return a site with sample accounts and a worker."""
    made = new_site()
    made.work()
    return made


def content(watched: Watched) -> str:
    """Return what the page says."""
    return str(watched.page.locator("#content").inner_text())


def ask(watched: Watched, path: str, act: str) -> str:
    """Go to a page, follow its link to an act, and return what that page asks."""
    watched.go(path)
    watched.page.locator("#content").get_by_role("link", name=act, exact=True).click()
    return content(watched)


def confirm(watched: Watched, submit: str, **fields: str) -> str:
    """Fill in the form and send it; return the page that answers."""
    for name, value in fields.items():
        watched.page.fill(f"#id_{name}", value)
    watched.page.get_by_role("button", name=submit, exact=True).click()
    return str(watched.page.locator("body").inner_text())


def newest(site: Site, job: str) -> dict[str, Any]:
    """Return the newest run of a job, as `inv jobs.history` tells it; empty without one."""
    return next(iter(site.json("job_history", f"--job={job}", "--count=1")), {})


def wait_for(site: Site, job: str, status: str) -> dict[str, Any]:
    """Return the newest run of a job once it has come to this status."""
    until = time.monotonic() + SEEN
    while (found := newest(site, job)).get("status") != status:
        assert time.monotonic() < until, (found, site.said("worker"))
        time.sleep(0.3)
    return found


def test_worker_runs_a_job_that_the_page_starts(site: Site, open_page: Opened) -> None:
    """The page asks with target, number and examples; a worker does it; ledger and log say who."""
    would = site.done("expire_trials", "--dry-run")
    due = re.search(r"Would expire (\d+)", would)[1]
    watched = open_page(site)
    asked = ask(watched, f"{EXPIRE}change/", "Run now")
    assert "Run expire_trials in: local postgresql" in asked
    assert re.search(rf"\b{int(due):,}\b", asked), asked
    assert re.search(r'status\s+"TRIALING"\s+"TRIAL_EXPIRED"', asked), asked
    assert newest(site, "expire_trials") == {}
    assert "Handed to the workers" in confirm(watched, "Run now")
    run = wait_for(site, "expire_trials", "SUCCEEDED")
    assert run["changed"] == int(due)
    assert BOSS in run["who"], run
    watched.go(f"runbook_jobs/run/{run['run']}/change/")
    assert f"{int(due):,}" in content(watched)
    watched.go("")
    assert "expire_trials" in watched.page.locator("#recent-actions-module").inner_text()


def test_progress_moves_and_a_run_is_stopped_and_undone(site: Site, open_page: Opened) -> None:
    """A run's page counts on without a reload; it ends after its batch; all its rows come back."""
    watched = open_page(site)
    ask(watched, f"{SLOW}change/", "Run now")
    confirm(watched, "Run now")
    number = wait_for(site, "fill_slowly", "RUNNING")["run"]
    run = f"runbook_jobs/run/{number}/change/"
    watched.go(run)
    loads: list[str] = []
    watched.page.on("framenavigated", lambda frame: loads.append(frame.url))
    seen = moved(watched)
    assert len(seen) >= 2, seen
    assert seen == sorted(seen)
    assert loads == []

    asked = ask(watched, run, "Stop after this batch")
    assert str(number) in asked
    confirm(watched, "Stop after this batch", reason="a look at what it did")
    stopped = wait_for(site, "fill_slowly", "STOPPED")
    assert 0 < stopped["changed"] < stopped["due"]
    watched.go(run)
    assert "a look at what it did" in content(watched)

    asked = ask(watched, run, "Undo")
    assert f"{stopped['changed']:,} row(s)" in asked
    confirm(watched, "Undo")
    until = time.monotonic() + SEEN
    while (undo := newest(site, "fill_slowly"))["run"] == number or undo["status"] == "RUNNING":
        assert time.monotonic() < until, (undo, site.said("worker"))
        time.sleep(0.3)
    assert (undo["status"], undo["changed"]) == ("SUCCEEDED", stopped["changed"])
    watched.go(run)
    assert f"Undone by run {undo['run']}" in content(watched)


def moved(watched: Watched) -> list[int]:
    """Return the different numbers of rows that the page shows, in their order."""
    seen: list[int] = []
    until = time.monotonic() + SEEN
    while len(seen) < 2 and time.monotonic() < until:
        found = ROWS.search(content(watched))
        if found and (rows := int(found[1].replace(",", ""))) not in seen:
            seen.append(rows)
        watched.page.wait_for_timeout(100)
    return seen


def test_page_of_a_run_sees_its_end(site: Site, open_page: Opened) -> None:
    """Left open, it shows how the run came out, without a hand."""
    watched = open_page(site)
    ask(watched, f"{SLOW}change/", "Run now")
    confirm(watched, "Run now")
    number = wait_for(site, "fill_slowly", "RUNNING")["run"]
    watched.go(f"runbook_jobs/run/{number}/change/")
    site.done("stop_run", str(number))
    wait_for(site, "fill_slowly", "STOPPED")
    watched.page.locator("#content").get_by_role("link", name="Undo", exact=True).wait_for()
    assert "stopped" in content(watched).lower()


def test_job_is_paused_and_resumed_by_the_keyboard_alone(site: Site, open_page: Opened) -> None:
    """Tab, Enter and letters pause a job and resume it; a paused one is not offered to run."""
    watched = open_page(site)
    watched.go(f"{EXPIRE}change/")
    tab_to(watched, "/expire_5Ftrials/pause/")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url("**/expire_5Ftrials/pause/")
    watched.page.locator("#id_reason").focus()
    watched.page.keyboard.type("the table is being moved")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url("**/change/")
    assert "the table is being moved" in content(watched)
    assert watched.page.locator("#content [href$='/run/']").count() == 0
    assert "the table is being moved" in site.manage("job_status").out
    tab_to(watched, "/expire_5Ftrials/resume/")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url("**/resume/")
    confirm(watched, "Resume")
    assert "the table is being moved" not in site.manage("job_status").out
    assert watched.page.locator("#content [href$='/run/']").count() == 1


def tab_to(watched: Watched, end: str) -> None:
    """Press Tab until a link with this end of its address has the focus."""
    for _ in range(100):
        watched.page.keyboard.press("Tab")
        if str(watched.page.evaluate("document.activeElement.href || ''")).endswith(end):
            return
    raise AssertionError(f"no Tab comes to {end}")


def test_protected_target_wants_its_name(new_site: Callable[..., Site], open_page: Opened) -> None:
    """On production a run and its undo begin only where the database's name was typed."""
    site = new_site("production")
    site.work()
    name = site.database
    watched = open_page(site)
    asked = ask(watched, f"{EXPIRE}change/", "Run now")
    assert f"Type {name} to go on" in asked
    watched.expect(409)
    assert "Refused" in confirm(watched, "Run now", name="another")
    assert newest(site, "expire_trials") == {}
    assert "Handed to the workers" in confirm(watched, "Run now", name=name)
    run = wait_for(site, "expire_trials", "SUCCEEDED")
    ask(watched, f"runbook_jobs/run/{run['run']}/change/", "Undo")
    assert "Handed to the workers" in confirm(watched, "Undo", name=name)
    until = time.monotonic() + SEEN
    while (undo := newest(site, "expire_trials"))["run"] == run["run"]:
        assert time.monotonic() < until, site.said("worker")
        time.sleep(0.3)
    assert wait_for(site, "expire_trials", "SUCCEEDED")["changed"] == run["changed"], undo


def test_permission_is_asked_for_when_it_is_done(site: Site, open_page: Opened) -> None:
    """Who loses a permission while the page asks is refused when the form is sent."""
    may = (
        "from django.contrib.auth import get_user_model\n"
        "from django.contrib.auth.models import Permission\n"
        f"viewer = get_user_model().objects.get(username={VIEWER!r})\n"
        "viewer.user_permissions.{}(Permission.objects.get(codename='pause_job'))"
    )
    site.python(may.format("add"))
    watched = open_page(site, VIEWER)
    ask(watched, f"{EXPIRE}change/", "Pause")
    site.python(may.format("remove"))
    watched.expect(403)
    assert "403" in confirm(watched, "Pause", reason="mine to pause")
    assert "mine to pause" not in site.manage("job_status").out


def test_what_is_handed_over_waits_for_a_worker(
    new_site: Callable[..., Site], open_page: Opened
) -> None:
    """Without a worker nothing runs in the request; the first worker takes it, once."""
    site = new_site()
    watched = open_page(site)
    ask(watched, f"{EXPIRE}change/", "Run now")
    confirm(watched, "Run now")
    assert newest(site, "expire_trials") == {}
    watched.page.go_back()
    confirm(watched, "Run now")
    site.work()
    wait_for(site, "expire_trials", "SUCCEEDED")
    time.sleep(2)
    assert len(site.json("job_history", "--job=expire_trials")) == 1
