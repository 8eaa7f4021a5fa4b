"""The ways to expire every trial that is over, and to fill names, each a process of its own.

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
RAW_NAMES = """
UPDATE users_profile SET display_name =
    left(coalesce(nullif(trim(first_name || ' ' || last_name), ''), username), 150)
FROM users_user
WHERE users_user.id = user_id AND display_name = '' AND date_joined < now()
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
    from django_runbook.jobs.batches.rows import postgresql

    with mock.patch.object(postgresql, "fits", return_value=False):
        return ledger()


def raw_names() -> int:
    """Fill the names in SQL, in one statement: nothing of what they were is kept."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(RAW_NAMES)
        return cursor.rowcount


def names() -> int:
    """Run the backfill, without its rests: what each name was and became is kept."""
    from django.utils import timezone

    from django_runbook.jobs import Order, run_transition
    from django_runbook.jobs.batches.throttle import Throttle
    from django_runbook.jobs.models import Status
    from users.jobs import FILL_DISPLAY_NAMES

    order = Order(allow=sys.maxsize, reason="benchmark")
    with mock.patch.object(Throttle, "took"):
        outcome = run_transition(FILL_DISPLAY_NAMES, now=timezone.now(), order=order)
    assert outcome.status == Status.SUCCEEDED, outcome
    return outcome.changed


def portable_names() -> int:
    """Run the backfill as on any other engine, through the ORM."""
    from django_runbook.jobs.batches.rows import postgresql

    with mock.patch.object(postgresql, "fits", return_value=False):
        return names()


MOVES: dict[str, Callable[[], int]] = {
    move.__name__: move
    for move in (raw, single, ledger, portable, raw_names, names, portable_names)
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
