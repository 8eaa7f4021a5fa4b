"""The pages over a ledger of years."""

import pytest
from django.db import connection
from django.utils import timezone

from accounts.samples import create_sample_accounts
from tests.benchmarks import ledgers, pages_seen

RUNS = 100_000


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.engines("sqlite", "postgresql")
def test_pages_ask_little_of_many_runs():
    """With 100,000 runs each page has fewer than ten queries more than the admin's index page."""
    create_sample_accounts(100, now=timezone.now())
    ledgers.fill(connection, RUNS, batches=True)
    browser = pages_seen.client()
    counted = {
        name: pages_seen.queries(pages_seen.get(browser, address))
        for name, address in pages_seen.pages().items()
    }
    most = counted[pages_seen.INDEX] + pages_seen.QUERIES
    assert {name: count for name, count in counted.items() if count >= most} == {}
