"""Everything about one job: limits and what they stand on, coming slots, where it is scheduled."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Config, Job, Schedule
from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.watch import job_details as module
from django_runbook.jobs.watch.job_details import LimitState, job_details
from django_runbook.jobs.watch.overview import overview
from tests.ops.jobs.past_runs import (
    DAY,
    HOUR,
    JOB,
    MINUTE,
    SLOT,
    paused,
    ran,
)

pytestmark = pytest.mark.django_db
NOW = SLOT + HOUR


def lives_in(monkeypatch, repository: str | None) -> None:
    """Let the configuration name a repository."""
    config = Config(
        root=Path(),
        manage=Path(),
        protected=frozenset(),
        schedule=Schedule(repository=repository),
    )
    monkeypatch.setattr(module, "of_settings", lambda: config)


def test_job_is_as_in_the_list(declare):
    """Its health and its strip are those of the overview; its lengths those of its runs."""
    declare(JOB, Job(name="tidy"))
    ran(started=SLOT - DAY, slot=SLOT - DAY, changed=7)
    ran("SKIPPED", SLOT - HOUR)
    ran("FAILED", SLOT, slot=SLOT)
    found = job_details("expire_trials", NOW)
    first, _tidy = overview(NOW)
    assert (found.job, found.declared, found.health, found.strip) == (
        JOB,
        True,
        first.health,
        first.strip,
    )
    lengths = [(one.started, one.seconds, one.changed, one.status) for one in found.lengths]
    assert lengths == [(SLOT - DAY, 60.0, 7, "SUCCEEDED"), (SLOT, 60.0, 0, "FAILED")]
    assert (found.schedule, found.transition, found.explains) == (
        "At 04:17 every day (UTC)",
        False,
        False,
    )


def test_coming_slots_lie_in_no_pause(declare):
    """The next ten; none behind a pause without an end, none without a schedule."""
    coming = tuple(SLOT + days * DAY for days in range(1, 14))
    assert job_details("expire_trials", NOW).coming == coming[:10]
    paused(SLOT + 2 * DAY, SLOT + 4 * DAY + MINUTE)
    assert job_details("expire_trials", NOW).coming == (coming[0], *coming[4:13])
    paused(SLOT + 5 * DAY)
    assert job_details("expire_trials", NOW).coming == (coming[0],)
    assert job_details("tidy", NOW).coming == ()


def test_limits_say_what_they_stand_on(declare):
    """The medians of the slots and days that found rows, as the run itself is held against them."""
    declare(replace(JOB, max_due=5000), registered=(EXPIRE_TRIALS,))
    for days, due in ((4, 900), (3, 0), (2, 200)):
        ran(started=SLOT - days * DAY, slot=SLOT - days * DAY, due=due)
    found = job_details("expire_trials", NOW)
    assert found.limits == (
        LimitState(name="max_due", value=5000, text="more than the cap of 5,000 (max_due)"),
        LimitState(
            name="max_times_median",
            value=10,
            text="not held against a median: the ledger has 2 of the 3 slots or days with rows "
            "that it takes (max_times_median)",
        ),
        LimitState(name="max_share", value=0.5, text="more than 50% of all rows (max_share)"),
    )
    ran(started=SLOT - 20 * HOUR, due=300)
    found = job_details("expire_trials", NOW)
    assert found.found == (
        (datetime.date(2026, 3, 1), 300),
        (SLOT - 2 * DAY, 200),
        (SLOT - 4 * DAY, 900),
    )
    assert found.limits[1].text == (
        "more than 10 times the median of the last 3 slots or days with rows, 300 "
        "(max_times_median)"
    )
    assert (found.transition, found.explains) == (True, True)


def test_job_without_limits(declare):
    """Each is named all the same; a job that changes no rows has none."""
    free = replace(JOB, max_share=None, max_times_median=None)
    declare(free, registered=(replace(EXPIRE_TRIALS, explain=None),))
    found = job_details("expire_trials", NOW)
    assert [(limit.name, limit.value, limit.text) for limit in found.limits] == [
        ("max_due", None, "no limit"),
        ("max_times_median", None, "no limit"),
        ("max_share", None, "no limit"),
    ]
    assert (found.transition, found.explains) == (True, False)
    declare(JOB)
    assert (job_details("expire_trials", NOW).limits, found.found) == ((), ())


def test_usual_length_is_known_without_a_run_under_way(declare):
    """From three successes on."""
    for days in (3, 2):
        ran(started=SLOT - days * DAY)
    assert job_details("expire_trials", NOW).usual is None
    ran(started=SLOT - DAY)
    assert job_details("expire_trials", NOW).usual == MINUTE


def test_usual_length_is_found_behind_many_failures(declare, monkeypatch):
    """The newest runs do not say it."""
    monkeypatch.setattr(outcomes, "LOOK", 3)
    for days in (9, 8, 7):
        ran(started=SLOT - days * DAY)
    for days in (3, 2, 1):
        ran("FAILED", SLOT - days * DAY)
    assert job_details("expire_trials", NOW).usual == MINUTE


@pytest.mark.parametrize(
    ("name", "repository", "where", "url"),
    [
        (
            "expire_trials",
            "owner/shop",
            ".github/workflows/expire_trials.yml",
            "https://github.com/owner/shop/actions/workflows/expire_trials.yml",
        ),
        ("expire_trials", None, "pyproject.toml", None),
        ("by_hand", "owner/shop", "", None),
        ("of_the_ledger", "owner/shop", "", None),
    ],
)
def test_where_the_schedule_lives(declare, monkeypatch, name, repository, where, url):
    """In its workflow where a repository runs it, else where it is declared."""
    declare(JOB, Job(name="by_hand"))
    lives_in(monkeypatch, repository)
    found = job_details(name, NOW)
    assert (found.where, found.workflow_url) == (where, url)
    assert found.declared is (name != "of_the_ledger")
