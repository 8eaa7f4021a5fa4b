"""The pages in a real browser, as they are for people: of every eye, hand and screen."""

import datetime
import json
import re

import pytest

from tests.browser.conftest import Opened
from tests.browser.served import STRANGER, VIEWER, Site

pytestmark = pytest.mark.browser
FILL = """
import datetime
from tests.browser.site import samples
samples.fill(datetime.datetime.fromisoformat({now!r}))
"""
EXPIRE = "runbook_jobs/job/expire_5Ftrials"
SCHEMES = ("light", "dark")
SIZES = {"narrow": {"width": 360, "height": 640}, "wide": {"width": 1440, "height": 900}}
#: What is shown to whoever may look.
SHOWN = {
    "jobs": "runbook_jobs/job/",
    "job": f"{EXPIRE}/change/",
    "story": f"{EXPIRE}/explain/?row={{row}}",
    "runs": "runbook_jobs/run/",
    "run": "runbook_jobs/run/{run}/change/",
    "batches": "runbook_jobs/run/{run}/batches/",
}
#: What asks whoever may do it.
ASKING = {
    "run": f"{EXPIRE}/run/",
    "dry run": f"{EXPIRE}/dry-run/",
    "pause": f"{EXPIRE}/pause/",
    "resume": "runbook_jobs/job/clearsessions/resume/",
    "undo": "runbook_jobs/run/{run}/undo/",
}


@pytest.fixture(scope="module")
def site(new_site) -> Site:
    """Return a site with a month of runs, one of them real, a pause, and nothing under way."""
    made = new_site()
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    made.python(FILL.format(now=now.isoformat()))
    made.done("pause_job", "clearsessions", "--reason=the sessions are being moved")
    made.done("expire_trials", "--allow=4000", "--reason=catching up")
    return made


@pytest.fixture(scope="module")
def places(site: Site) -> dict[str, str]:
    """Return the numbers of the last run and of one of its rows."""
    (last,) = site.json("job_history", "--count=1")
    return {"run": str(last["run"]), "row": "1"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*SHOWN, *(f"{name}?" for name in ASKING)])
def test_page_is_for_everybody(site, open_page: Opened, places, name, size, scheme) -> None:
    """In each scheme and width: no finding of axe-core, no error, nothing wider than the window."""
    path = SHOWN.get(name) or ASKING[name.removesuffix("?")]
    watched = open_page(site, color_scheme=scheme, viewport=SIZES[size])
    assert watched.go(path.format(**places)).status == 200
    watched.page.wait_for_load_state("networkidle")
    assert watched.findings() == []
    assert watched.overflow() == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_follow_the_scheme(site, open_page: Opened, scheme) -> None:
    """The pages are dark where the viewer's system is: what they draw as well as the text."""
    watched = open_page(site, color_scheme=scheme)
    watched.go(SHOWN["jobs"])
    colour = "getComputedStyle(document.querySelector('{}')).{}"
    ground = watched.page.evaluate(colour.format("body", "backgroundColor"))
    marks = watched.page.evaluate(colour.format("#content svg *[class]", "fill"))
    assert (sum(channels(ground)) > 382) is (scheme == "light"), ground
    assert marks


def channels(colour: str) -> list[int]:
    """Return red, green and blue of a computed colour."""
    return [int(word) for word in colour.partition("(")[2].rstrip(")").split(",")[:3]]


@pytest.mark.parametrize("name", SHOWN)
def test_pages_say_the_same_without_javascript(site, open_page: Opened, places, name) -> None:
    """Every word stands there, but for times in the viewer's zone and countdowns."""
    path = SHOWN[name].format(**places)
    without = open_page(site, java_script_enabled=False)
    without.go(path)
    with_ = open_page(site)
    with_.go(path)
    text = words(without)
    assert len(text) > 20
    missing = [word for word in words(with_) if word not in text and not moves(word)]
    assert missing == []


def words(watched) -> list[str]:
    """Return the words of a page's content."""
    return watched.page.locator("#content").inner_text().split()


def moves(word: str) -> bool:
    """Tell whether a word is a part of a time, which the script spells for the viewer."""
    return any(letter.isdigit() for letter in word) or word.strip(".,;:()") in {"UTC", "now"}


def test_times_are_in_the_viewers_zone(site, open_page: Opened) -> None:
    """The script shows each time where the viewer is; the UTC time is one hover away."""
    tokyo = open_page(site, timezone_id="Asia/Tokyo", locale="en-GB")
    tokyo.go(SHOWN["jobs"])
    time = tokyo.page.locator("#content time").first
    utc = datetime.datetime.fromisoformat(time.get_attribute("datetime"))
    there = utc + datetime.timedelta(hours=9)
    assert f"{there:%H:%M}" in time.inner_text()
    assert f"{utc:%H:%M}" in time.get_attribute("title")
    assert "UTC" in time.get_attribute("title")


def test_states_are_those_of_the_command(site, open_page: Opened) -> None:
    """Each job stands there with the state that `inv jobs.status --json` tells."""
    watched = open_page(site)
    watched.go(SHOWN["jobs"])
    told = {one["job"]: one["state"] for one in site_status(site)}
    assert set(told) >= {"expire_trials", "prune_runs", "clearsessions", "fill_slowly"}
    jobs = watched.page.locator(".rb-job")
    shown = {
        one.get_by_role("heading").inner_text(): one.locator(".rb-state").inner_text()
        for one in jobs.all()
    }
    assert {job: state.lower() for job, state in shown.items()} == told


def site_status(site: Site) -> list[dict]:
    """Return the state of each job; the command ends with 1 where one is not well."""
    found = json.loads(site.manage("job_status", "--json").out)
    return found if isinstance(found, list) else found["jobs"]


def test_strip_is_told_in_words(site, open_page: Opened) -> None:
    """Each strip of slots is an image with a text that counts its ends."""
    watched = open_page(site)
    watched.go(SHOWN["jobs"])
    strips = watched.page.get_by_role("img").all()
    assert len(strips) == 3
    for strip in strips:
        words = strip.get_attribute("aria-label")
        counts = [int(count) for count in re.findall(r"(\d+) [a-z ]+(?:,|\.)", words)]
        assert sum(counts) == strip.locator("path").count(), words
    told = " ".join(strip.get_attribute("aria-label") for strip in strips)
    assert all(end in told for end in ("done", "late", "missed", "failed", "skipped")), told


def test_acts_are_reached_by_keyboard(site, open_page: Opened, places) -> None:
    """Tab comes to each act of a job and of a run, with a visible focus."""
    watched = open_page(site)
    for path, acts in (("job", ("run", "dry-run", "pause")), ("run", ("undo",))):
        watched.go(SHOWN[path].format(**places))
        found = focused(watched)
        for act in acts:
            assert any(href.endswith(f"/{act}/") for href in found), (act, list(found))
        assert all(found.values()), found


def focused(watched) -> dict[str, bool]:
    """Tab through the page; return the address of each link, and whether its focus is seen."""
    found: dict[str, bool] = {}
    script = """() => {
        const one = document.activeElement, style = getComputedStyle(one);
        return [one.href || one.formAction || one.tagName,
                style.outlineStyle !== 'none' || style.boxShadow !== 'none', one.tagName];
    }"""
    for _ in range(200):
        watched.page.keyboard.press("Tab")
        name, seen, tag = watched.page.evaluate(script)
        if tag == "BODY":
            break
        if "/runbook_jobs/" in name:
            found[name] = seen
    return found


def test_viewer_is_offered_no_act_and_refused_each(site, open_page: Opened, places) -> None:
    """Who may only look is shown everything and no act; the address of one is forbidden."""
    watched = open_page(site, VIEWER)
    for name, path in SHOWN.items():
        assert watched.go(path.format(**places)).status == 200, name
        content = watched.page.locator("#content")
        for act in ("run", "dry-run", "pause", "resume", "stop", "undo"):
            assert content.locator(f"[href$='/{act}/']").count() == 0, (name, act)
    watched.expect(403)
    for path in ASKING.values():
        assert watched.go(path.format(**places)).status == 403, path


def test_stranger_sees_nothing(site, open_page: Opened, places) -> None:
    """Staff without the permission to look are refused each page, and its JSON."""
    watched = open_page(site, STRANGER)
    watched.expect(403)
    for path in (*SHOWN.values(), "runbook_jobs/job/live.json", "runbook_jobs/run/{run}/live.json"):
        assert watched.go(path.format(**places)).status == 403, path
