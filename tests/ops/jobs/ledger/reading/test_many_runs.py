"""What is read of the ledger does not grow with it: each read finds its few rows by an index."""

import datetime
from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_runbook.jobs.ledger import retention, runs
from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.reading.history import history_page
from django_runbook.jobs.models import Run, Slot
from django_runbook.jobs.watch.job_details import job_details
from django_runbook.jobs.watch.overview import overview
from django_runbook.jobs.watch.progress import progress
from tests.benchmarks import ledgers

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.engines("sqlite", "postgresql"),
]

MANY = 100_000
NOW = datetime.datetime.now(datetime.UTC)
#: Rows of runs that PostgreSQL may fetch, and steps of SQLite's machine: a scan takes a million.
MOST_ROWS, MOST_STEPS = 2_500, 150_000
STEPS = 100
FETCHED = """
SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)
FROM pg_stat_xact_user_tables WHERE relname = 'runbook_jobs_run'
"""


def command(*argv):
    """Return what runs a command; whether a job is well does not matter here."""

    def run():
        with suppress(CommandError):
            call_command(*argv, stdout=StringIO(), stderr=StringIO())

    return run


READS = {
    "job_history": command("job_history"),
    "job_history --job": command("job_history", "--job=retired"),
    "job_history --json": command("job_history", "--json", "--count=50"),
    "list_jobs": command("list_jobs"),
    "job_status": command("job_status"),
    "show_run": command("show_run", "2"),
    "job_names": queries.job_names,
    "overview": lambda: overview(NOW),
    "job_details": lambda: [job_details(name, NOW) for name in ("always_fail", "expire_trials")],
    "history_page": lambda: history_page("expire_trials", status="SUCCEEDED"),
    "history_page of what runs": lambda: history_page("often_skip", status="RUNNING"),
    "progress": lambda: progress(7, NOW),
    "last_due": lambda: queries.last_due("expire_trials", queries.NIGHTS),
    "mark_lost": lambda: runs.mark_lost("retired"),
    "unfinished": lambda: runs.unfinished("always_fail", None),
    "needed": lambda: retention.needed("always_fail"),
}


def cost(read):
    """Return how many rows, or steps, a read takes, and its queries."""
    with CaptureQueriesContext(connection) as made:
        if connection.vendor == "postgresql":
            return _rows(read), len(made)
        return _steps(read), len(made)


def _rows(read):
    def fetched():
        with connection.cursor() as cursor:
            cursor.execute(FETCHED)
            return int(cursor.fetchone()[0])

    before = fetched()
    read()
    return fetched() - before


def _steps(read):
    counted = []
    connection.connection.set_progress_handler(lambda: counted.append(1), STEPS)
    try:
        read()
    finally:
        connection.connection.set_progress_handler(None, STEPS)
    return len(counted) * STEPS


@pytest.fixture
def many():
    """Write the runs of a year, one every five minutes.

    What earlier tests have left in an index makes it dearer than another.
    """
    clear()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("REINDEX TABLE runbook_jobs_run")
    ledgers.fill(connection, MANY)


def clear():
    """Remove every run."""
    Slot.objects.all().delete()
    Run.objects.update(undoes=None)
    Run.objects.all()._raw_delete(using="default")


def test_no_read_scans_the_runs(many):
    """Not for a job that has failed since its first run, nor for one that nobody runs any more."""
    most = MOST_ROWS if connection.vendor == "postgresql" else MOST_STEPS
    costs = {name: cost(read) for name, read in READS.items()}
    assert {name: one for name, one in costs.items() if one[0] > most} == {}
    assert queries.job_names() == [
        "always_fail",
        "clearsessions",
        "expire_trials",
        "find_nothing",
        "often_skip",
        "retired",
    ]


def test_scan_is_seen(many):
    """What this test would not see is no proof."""
    most = MOST_ROWS if connection.vendor == "postgresql" else MOST_STEPS
    assert cost(lambda: list(Run.objects.filter(host="another")))[0] > most


def test_queries_do_not_grow_with_the_runs(many):
    """As many for two thousand runs of each job as for twenty thousand."""
    before = {name: cost(read)[1] for name, read in READS.items()}
    clear()
    ledgers.fill(connection, MANY // 10)
    assert {name: cost(read)[1] for name, read in READS.items()} == before
