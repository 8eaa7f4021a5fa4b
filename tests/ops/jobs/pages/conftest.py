"""A site over plain HTTP, a ledger that is older than all slots, and a clock that stands still."""

import pytest
import time_machine

from tests.ops.jobs.past_runs import DAY, HOUR, SLOT, since

NOW = SLOT + 3 * HOUR


@pytest.fixture(autouse=True)
def _site(settings, db):
    """Serve over plain HTTP."""
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["testserver"]
    since(SLOT - 100 * DAY)


@pytest.fixture
def still():
    """Let it be three hours behind the slot of a Monday."""
    with time_machine.travel(NOW, tick=False):
        yield NOW
