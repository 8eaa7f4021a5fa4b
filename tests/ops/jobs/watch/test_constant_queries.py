"""What is said of the jobs costs as many queries for thirty of them as for three."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.jobs import EXPIRE_TRIALS
from django_runbook.config import Job
from django_runbook.jobs.ledger.reading import outcomes, together
from django_runbook.jobs.watch.job_details import job_details
from django_runbook.jobs.watch.overview import overview
from django_runbook.jobs.watch.status import check, jobs
from tests.ops.jobs.past_runs import DAY, HOUR, JOB, MINUTE, SLOT, paused, ran

pytestmark = pytest.mark.django_db
#: When the ledger got its tables, the pauses, the newest runs with those under way, the slots, and
#: what undid the runs that are told; before them, but where the jobs are given, their names.
QUERIES = {"check": 6, "overview": 6, "jobs": 4}


def busy(count: int) -> list[Job]:
    """Declare so many jobs that are late, fail, run and are undone, beside one more that ran."""
    declared = [replace(JOB, name=f"job_{number:02}") for number in range(count)]
    for number, job in enumerate(declared):
        for day in range(4, 8):
            done = ran(started=SLOT - day * DAY, slot=SLOT - day * DAY, job=job.name)
        ran("SUCCEEDED", SLOT - 4 * DAY + HOUR, job=job.name, undoes=done, changed=1)
        ran("RUNNING", SLOT - DAY, job=job.name)
        if number % 3 == 0:
            paused(SLOT - 3 * DAY, SLOT - 2 * DAY, job=job.name)
        if number % 3 == 1:
            ran("FAILED", SLOT, slot=SLOT, job=job.name)
        if number % 3 == 2:
            ran(started=SLOT + MINUTE, job=job.name)
    ran("FAILED", SLOT, job="of the past")
    return declared


def told() -> dict[str, int]:
    """Return how many queries each answer takes."""
    now = SLOT + 8 * HOUR
    answers = {
        "check": lambda: check(now),
        "overview": lambda: overview(now),
        "jobs": lambda: jobs(now),
    }
    counts = {}
    for name, answer in answers.items():
        with CaptureQueriesContext(connection) as made:
            answer()
        counts[name] = len(made)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 30])
def test_number_of_queries_does_not_grow_with_the_jobs(declare, count):
    """All are read together, whatever is wrong with each; the number is in this file."""
    declared = busy(count)
    declare(*declared)
    assert told() == QUERIES
    found = {one.job: one.state for one in check(SLOT + 8 * HOUR)}
    states = ["missed", "failed", "slow"]
    assert found == {job.name: states[n % 3] for n, job in enumerate(declared)} | {
        "of the past": "failed"
    }


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 30])
def test_each_transition_costs_one_query_more(declare, count):
    """The oldest of its rows that are overdue: each has a table of its own."""
    declared = busy(count)
    registered = tuple(replace(EXPIRE_TRIALS, job=job.name) for job in declared[:3])
    declare(*declared, registered=registered)
    more = {"check": 3, "overview": 3}
    assert told() == {name: number + more.get(name, 0) for name, number in QUERIES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 12])
def test_long_histories_cost_two_queries_more(declare, monkeypatch, count):
    """What lies behind the newest runs, and how long they take, is read of all jobs together."""
    monkeypatch.setattr(outcomes, "LOOK", 2)
    declared = busy(count)
    declare(*declared)
    for job in declared:
        ran("FAILED", SLOT + HOUR, job=job.name)
        ran("FAILED", SLOT + 2 * HOUR, job=job.name)
    more = {"check": 2, "overview": 2}
    assert told() == {name: number + more.get(name, 0) for name, number in QUERIES.items()}


@pytest.mark.slow
def test_more_jobs_than_one_statement_takes_are_all_told(declare, monkeypatch):
    """A statement more for each part of them; each job is told its own runs."""
    monkeypatch.setattr(together, "AT_ONCE", 4)
    declared = busy(9)
    declare(*declared)
    now = SLOT + 8 * HOUR
    found = check(now)
    alone = []
    for job in declared:
        declare(job)
        alone.append(next(one for one in check(now) if one.job == job.name))
    assert found[:-1] == alone
    assert {one.last.job for one in found} == {one.job for one in found}


def test_details_of_a_job_cost_few_queries(declare, django_assert_num_queries):
    """As many as are needed for all jobs without their names, and two more of a transition."""
    declared = busy(3)
    declare(*declared)
    with django_assert_num_queries(5):
        job_details("job_00", SLOT + 8 * HOUR)
    declare(*declared, registered=(replace(EXPIRE_TRIALS, job="job_00"),))
    with django_assert_num_queries(7):
        job_details("job_00", SLOT + 8 * HOUR)
