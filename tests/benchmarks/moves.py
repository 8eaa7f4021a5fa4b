"""The ways to expire every trial that is over, each run as a process of its own.

``python -m tests.benchmarks.moves NAME`` prints when it began and ended (monotonic, the same for
every process), and how many rows it changed.
"""

import json
import sys
import time
from collections.abc import Callable
from unittest import mock

import django

RAW = """
UPDATE accounts_account SET status = 'TRIAL_EXPIRED' WHERE status = 'TRIALING' AND created < %s
"""


def raw() -> int:
    """Update in SQL, in one statement."""
    from django.db import connection
    from django.utils import timezone

    from accounts.jobs import cutoff

    with connection.cursor() as cursor:
        cursor.execute(RAW, [cutoff(timezone.now())])
        return cursor.rowcount


def single() -> int:
    """Update through the ORM at once, as the article does."""
    from django.utils import timezone

    from accounts.jobs import cutoff
    from accounts.models import Status
    from accounts.selectors import overdue_trials

    return overdue_trials(cutoff(timezone.now())).update(status=Status.TRIAL_EXPIRED)


def ledger() -> int:
    """Run the job: count, batches with their books, and the verification."""
    from django.utils import timezone

    from accounts.services import expire_trials
    from django_runbook.jobs.ledger.runs import Order
    from django_runbook.jobs.models import Status

    order = Order(allow=sys.maxsize, reason="benchmark")
    result = expire_trials(now=timezone.now(), order=order)
    assert result.status == Status.SUCCEEDED, result
    return result.expired


def portable() -> int:
    """Run the job as on any other engine, through the ORM."""
    from django_runbook.jobs.batches import postgresql

    with mock.patch.object(postgresql, "fits", return_value=False):
        return ledger()


MOVES: dict[str, Callable[[], int]] = {
    move.__name__: move for move in (raw, single, ledger, portable)
}


def main() -> None:
    """Time one of them."""
    django.setup()
    from django.db import connection

    connection.ensure_connection()
    start = time.monotonic()
    changed = MOVES[sys.argv[1]]()
    print(json.dumps({"start": start, "end": time.monotonic(), "changed": changed}))


if __name__ == "__main__":
    main()
