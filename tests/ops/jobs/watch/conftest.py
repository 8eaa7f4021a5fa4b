"""A ledger that is older than every slot of the tests."""

import pytest

from tests.ops.jobs.past_runs import DAY, SLOT, since


@pytest.fixture(autouse=True)
def _old_ledger():
    """Let the ledger be old enough for every slot of these tests."""
    since(SLOT - 100 * DAY)
