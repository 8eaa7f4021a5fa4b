"""The page of a job: its declaration, its limits, its history with filters, what was done."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Job
from django_runbook.jobs.models import Job as JobModel
from tests.ops.jobs.pages.pages import person, seen, superuser
from tests.ops.jobs.past_runs import DAY, HOUR, MINUTE, SLOT, paused, ran
from users.models import User

EXPIRE = Job(name="expire_trials", cron="17 4 * * *", timezone="UTC", max_due=5000)


@pytest.fixture
def past(still, declare):
    """Declare the job, which has run for thirty nights; one night failed."""
    declare(EXPIRE, registered=(EXPIRE_TRIALS,))
    change = {"model": "accounts.account", "was": {}, "to": {"status": "TRIAL_EXPIRED"}}
    runs = []
    for night in range(29, -1, -1):
        at, failed = SLOT - night * DAY, night == 5
        end = {"finished": at + (30 - night) * MINUTE}
        runs.append(
            ran(
                "FAILED" if failed else "SUCCEEDED",
                at,
                slot=at,
                due=200 + night,
                changed=0 if failed else 200 + night,
                batches=2,
                change=change,
                reason="OperationalError: gone" if failed else "",
                **end,
            )
        )
    return runs


def test_all_of_a_job_is_told(past):
    """What it does, when and where, its limits and what they stand on, and what is declared."""
    page = seen(superuser(), "job/expire_trials/change/")
    nights = " ".join(
        f"{SLOT - night * DAY:%Y-%m-%d} 04:17 UTC: {200 + night}" for night in (0, 1, 2, 3, 4, 6)
    )
    for words in (
        f"OK run {past[-1].pk} succeeded 2026-03-02T04:17Z; next slot 2026-03-03T04:17Z",
        "When At 04:17 every day (UTC) Cron 17 4 * * * UTC Where .github/workflows/",
        "Coming slots in 21 h 2026-03-03 04:17 UTC 2026-03-04 04:17 UTC",
        "max_due more than the cap of 5,000 (max_due)",
        "max_share more than 50% of all rows (max_share)",
        f"rows due in the last {nights}",
        "timeout_minutes 15 grace_hours 6 safety_hours 4 overlap share max_due 5000",
        "Duration of the last 30 run(s): at most 30 min",
        "Rows changed of the last 30 run(s): at most 229",
    ):
        assert words in page.text, (words, page.text)
    bars = page.svgs[-2].findall("rect")
    assert len(bars) == 30
    assert bars[-6].get("class") == "rb-bar rb-bar-failed"
    assert bars[-6].findtext("title") == (f"Run {past[-6].pk}, 2026-02-25T04:17Z, FAILED: 25 min")


def history(page) -> list[int]:
    """Return the runs that a page's table lists."""
    begin = "/admin/runbook_jobs/run/"
    rows = page.main.partition("<tbody>")[2].partition("</tbody>")[0]
    return [int(part.partition("/")[0]) for part in rows.split(begin)[1:]]


@pytest.mark.slow
def test_history_is_filtered_and_paged(past):
    """By status and days, both included; what is wrong filters nothing; older runs follow."""
    browser, pks = superuser(), [run.pk for run in reversed(past)]
    page = seen(browser, "job/expire_trials/change/")
    assert history(page) == pks[:25]
    assert f"?before={pks[24]}" in page.links
    older = seen(browser, f"job/expire_trials/change/?before={pks[24]}")
    assert history(older) == pks[25:]
    assert "?" in older.links
    failed = seen(browser, "job/expire_trials/change/?status=FAILED")
    assert history(failed) == [pks[5]]
    assert "OperationalError: gone" in failed.text
    days = seen(browser, "job/expire_trials/change/?from=2026-02-27&until=2026-02-28")
    assert history(days) == pks[2:4]
    for wrong in ("status=NONE", "from=yesterday&until=9999-99-99", "before=-1", "before=%00"):
        assert history(seen(browser, f"job/expire_trials/change/?{wrong}")) == pks[:25]
    assert history(seen(browser, f"job/expire_trials/change/?before={'9' * 19}")) == pks[:25]
    empty = seen(browser, "job/expire_trials/change/?status=LOST")
    assert "No run matches." in empty.text
    kept = seen(browser, "job/expire_trials/change/?status=SUCCEEDED&from=2026-01-01")
    assert f"?status=SUCCEEDED&from=2026-01-01&before={pks[25]}" in kept.links


def test_workflow_is_linked_where_a_repository_is_declared():
    """The schedule of this repository lives in a workflow on GitHub."""
    page = seen(superuser(), "job/expire_trials/change/")
    assert "Where .github/workflows/expire_trials.yml" in page.text
    assert (
        "https://github.com/django-runbook/django-runbook/actions/workflows/expire_trials.yml"
        in page.links
    )


def test_pauses_and_what_was_done_here_are_told(still, declare):
    """Each pause with its end, and the last entries of the admin's own log."""
    declare(EXPIRE)
    paused(SLOT - 9 * DAY, SLOT - 7 * DAY, resumed=SLOT - 8 * DAY, resumed_by="bob@laptop")
    ada = User.objects.create_user("ada")
    LogEntry.objects.create(
        user=ada,
        content_type=ContentType.objects.get_for_model(JobModel, for_concrete_model=False),
        object_id="expire_trials",
        action_flag=CHANGE,
        change_message="Paused: prices",
        action_time=SLOT + HOUR,
    )
    page = seen(superuser(), "job/expire_trials/change/")
    assert (
        "2026-02-21 04:17 UTC 2026-02-23 04:17 UTC me@laptop prices "
        "2026-02-22 04:17 UTC by bob@laptop" in page.text
    )
    assert "2026-03-02 05:17 UTC ada Paused: prices" in page.text


def test_unknown_job_is_not_found(declare):
    """One that nobody declares, registers, or has run; also a name that no database takes."""
    declare(EXPIRE)
    browser = superuser()
    for name in ("nobody", "%00", "a" * 300):
        assert browser.get(f"/admin/runbook_jobs/job/{name}/change/").status_code == 404
    assert browser.get("/admin/runbook_jobs/job/expire_trials/fly/").status_code == 404


def test_job_of_the_ledger_alone_has_a_page(still, declare):
    """One that is not declared any more, with its runs."""
    declare(EXPIRE)
    run = ran(job="gone")
    page = seen(superuser(), "job/gone/change/")
    assert "When not declared in pyproject.toml" in page.text
    assert history(page) == [run.pk]


def test_whoever_may_only_view_is_offered_nothing(still, declare):
    """The page is the same, and nothing on it acts; nor are rows told that one may not see."""
    declare(EXPIRE, registered=(EXPIRE_TRIALS,))
    viewer = person("view_job", "view_run")
    for path in ("job/", "job/expire_trials/change/"):
        page = seen(viewer, path)
        assert "rb-act" not in page.main
        assert "Pause" not in page.text
    assert "The story of a row" not in page.text
    assert "Pause" in seen(superuser(), "job/expire_trials/change/").text
