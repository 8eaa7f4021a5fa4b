"""The page of all jobs says what `inv jobs.status` says, and when each is due."""

import io
import json
import re
from contextlib import suppress

import pytest
from django.core.management import CommandError, call_command

from django_runbook.config import Job
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.models import Run
from tests.ops.jobs.pages.pages import Page, seen, superuser
from tests.ops.jobs.past_runs import DAY, HOUR, JOB, MINUTE, SLOT, paused, ran, since

TIDY = Job(name="tidy", cron="0 5 1 4 *", timezone="Europe/Berlin")
LOOSE = Job(name="loose")


def status_lines() -> list[str]:
    """Return the lines of `inv jobs.status`, without their first word, spaces once."""
    out = io.StringIO()
    with suppress(CommandError):
        call_command("job_status", stdout=out)
    return [" ".join(line.split()[1:]) for line in out.getvalue().splitlines()]


@pytest.fixture
def jobs(still, declare):
    """Declare three jobs: one is well, one has failed, one is paused; a fourth ran once."""
    declare(JOB, TIDY, LOOSE)
    ran(slot=SLOT, changed=1234, due=1234)
    ran("FAILED", SLOT - DAY, job="tidy", reason="OperationalError: gone")
    paused(SLOT - HOUR, SLOT + DAY, job="loose")
    return ran(job="once", started=SLOT - 9 * DAY)


def test_each_job_is_told_in_the_words_of_the_command(jobs):
    """The whole page, and in it the very sentences of the command."""
    page = seen(superuser(), "job/")
    first = list(Run.objects.order_by("pk").values_list("pk", flat=True))
    assert page.text.startswith(
        "Jobs 1 of 4 job(s) need a look. This page is not brought up to date any more. Reload "
    )
    for line in status_lines():
        job, _, rest = line.partition(" ")
        assert rest.removeprefix(": ") in page.text, line
        assert job.rstrip(":") in page.text
    for words in (
        "expire_trials OK",
        "At 04:17 every day (UTC)",
        "in 21 h 2026-03-03 04:17 UTC",
        f"Run {first[0]} succeeded after 1 min, 1,234 row(s) 2026-03-02 04:17 UTC",
        f"tidy failed run {first[1]} failed 2026-03-01T04:17Z (OperationalError: gone)",
        f"-> inv jobs.show {first[1]}",
        "(Europe/Berlin)",
        "loose paused paused since 2026-03-02T03:17Z until 2026-03-03T04:17Z by me@laptop (prices)",
        "since 2026-03-02 03:17 UTC until 2026-03-03 04:17 UTC by me@laptop: prices",
        "once OK",
        "not declared",
    ):
        assert words in page.text, (words, page.text)
    assert [link for link in page.links if "/runbook_jobs/run/" in link] == [
        f"/admin/runbook_jobs/run/{pk}/change/" for pk in (first[0], first[1], jobs.pk)
    ]


def test_strip_has_words_and_shapes(jobs):
    """Thirty slots of a daily job: each mark says what it is, and the drawing says it as well."""
    page = seen(superuser(), "job/")
    strip = page.svgs[0]
    assert strip.get("role") == "img"
    label = strip.get("aria-label") or ""
    assert label.startswith("The last 30 slot(s): ")
    assert len(strip.findall("g")) == 30
    last = strip.findall("g")[-1]
    assert last.findtext("title") == f"2026-03-02T04:17Z: done by run {Run.objects.first().pk}"
    marks = {g.get("class"): g.find("path").get("d") for svg in page.svgs for g in svg.iter("g")}
    assert len(set(marks.values())) == len(marks) == 8


def test_no_job_at_all_says_what_to_do(still, declare):
    """The table that makes a first one, and the command that lists them."""
    declare()
    page = seen(superuser(), "job/")
    assert "There are no jobs yet: none is declared, none is registered, and none" in page.text
    assert '[tool.django-runbook.jobs.clearsessions] cron = "43 3 * * *"' in page.text


def test_what_moves_is_asked_for(jobs):
    """The same texts as on the page, by the same keys, and a stamp that a new run changes."""
    browser = superuser()
    page = seen(browser, "job/")
    answer = browser.get("/admin/runbook_jobs/job/live.json")
    assert "no-store" in answer["Cache-Control"]
    found = answer.json()
    assert sorted(found) == ["every", "stamp", "texts", "values"]
    assert (found["every"], found["values"]) == (30, {})
    keys = set(re.findall(r'data-live="([^"]+)"', page.source))
    assert keys == set(found["texts"])
    assert f'data-live-stamp="{found["stamp"]}"' in page.source
    ran(job="tidy")
    assert browser.get("/admin/runbook_jobs/job/live.json").json()["stamp"] != found["stamp"]


def test_running_job_is_looked_at_often(declare):
    """While something runs, its rows are told, and the page asks every two seconds."""
    declare(JOB)
    now = database_now()
    since(now)
    run = ran("RUNNING", now - 5 * MINUTE, heartbeat=now, due=1000, changed=250)
    browser = superuser()
    page = seen(browser, "job/")
    assert "expire_trials running" in page.text
    assert "250 of 1,000 row(s)" in page.text
    assert 'data-live-every="2"' in page.source
    Run.objects.filter(pk=run.pk).update(changed=500)
    found = json.loads(browser.get("/admin/runbook_jobs/job/live.json").content)
    assert "500 of 1,000 row(s)" in found["texts"]["last-0"]
    assert f'data-live-stamp="{found["stamp"]}"' in page.source


def test_numbers_of_a_language_break_no_drawing(jobs, settings):
    """A decimal comma, or a point in thousands, stands in no drawing, address or number."""
    ran(pk=1_234_567)
    browser = superuser()
    plain = seen(browser, "job/expire_trials/change/")
    settings.LANGUAGE_CODE, settings.USE_THOUSAND_SEPARATOR = "de", True
    german = seen(browser, "job/expire_trials/change/")
    assert "/admin/runbook_jobs/run/1234567/change/" in german.links
    assert Page(plain.source).svgs[-1].attrib == german.svgs[-1].attrib
    for svg in german.svgs:
        for shape in svg.iter():
            drawn = [shape.get(name, "0") for name in ("x", "y", "width", "height", "y1", "y2")]
            assert all(re.fullmatch(r"[0-9.]+", number) for number in drawn)
