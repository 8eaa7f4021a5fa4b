"""Accounts to expire, and what the ledger says of them against what the database saw."""

import datetime
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import connection

from accounts.models import Account, Status
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.models import Batch, Lease, Run, Slot
from django_runbook.jobs.models import Status as RunStatus

NOW = datetime.datetime(2026, 3, 1, 4, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
OVER = NOW - DAY * 62
EXPIRY = (Status.TRIALING.value, Status.TRIAL_EXPIRED.value)
PAYMENT = (Status.TRIALING.value, Status.ACTIVE.value)
FIVE_DONE = {"ACTIVE": 2, "TRIALING": 2, "TRIAL_EXPIRED": 5}
#: Fifty thousand in half a second; the ORM takes ten.
USERS = """
    INSERT INTO users_user (password, is_superuser, username, first_name, last_name, email,
        is_staff, is_active, date_joined)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT '', false, %s || i, '', '', '', false, true, CURRENT_TIMESTAMP FROM n LIMIT %s
"""
ACCOUNTS = """
    INSERT INTO accounts_account (user_id, status, created)
    SELECT id, 'TRIALING', CASE WHEN id %% 3 > 0 THEN %s ELSE %s END FROM users_user
    WHERE id NOT IN (SELECT user_id FROM accounts_account) ORDER BY id
"""
#: The database itself writes down each change of a status, in the changing transaction.
WITNESS = {
    "sqlite": (
        "CREATE TABLE witness (account bigint, was text, became text)",
        """CREATE TRIGGER witness AFTER UPDATE OF status ON accounts_account BEGIN
            INSERT INTO witness VALUES (new.id, old.status, new.status); END""",
    ),
    "postgresql": (
        "CREATE TABLE witness (account bigint, was text, became text)",
        """CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO witness VALUES (new.id, old.status, new.status); RETURN new; END $$""",
        """CREATE TRIGGER witness AFTER UPDATE OF status ON accounts_account
            FOR EACH ROW EXECUTE FUNCTION witness()""",
    ),
}


def execute(*statements: str) -> None:
    """Execute statements, each for itself."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def open_accounts(count: int, *, created: datetime.datetime = OVER) -> list[int]:
    """Open accounts in trial, two of three at the same instant; return their keys."""
    last = Account.objects.order_by("pk").last()
    with connection.cursor() as cursor:
        cursor.execute(USERS, [uuid.uuid4().hex, count])
        times = [created - datetime.timedelta(seconds=second) for second in (0, 1)]
        cursor.execute(ACCOUNTS, [connection.ops.adapt_datetimefield_value(time) for time in times])
    opened = Account.objects.filter(pk__gt=last.pk if last else 0)
    return list(opened.order_by("pk").values_list("pk", flat=True))


def stage(due: int, *, now: datetime.datetime = NOW, young: int = 2) -> None:
    """Let a witness watch, and open accounts: due ones at ``now``, young ones, two that pay."""
    execute(*WITNESS[connection.vendor])
    open_accounts(due, created=now - DAY * 62)
    open_accounts(young, created=now - DAY * 60)
    payers = open_accounts(2, created=now - DAY * 62)
    Account.objects.filter(pk__in=payers).update(status=Status.ACTIVE)
    execute("DELETE FROM witness")


def dismantle() -> None:
    """Let the witness go."""
    if connection.vendor == "postgresql":
        execute("DROP FUNCTION witness() CASCADE")
    else:
        execute("DROP TRIGGER witness")
    execute("DROP TABLE witness")


def set_back() -> None:
    """Put the stage back, with an empty ledger."""
    Account.objects.filter(status=Status.TRIAL_EXPIRED).update(status=Status.TRIALING)
    Run.objects.update(undoes=None)
    Run.objects.all().delete()
    Slot.objects.all().delete()
    execute("DELETE FROM witness")


def let_time_pass() -> None:
    """Let each heart that beats have stopped, and each lease have run out."""
    long_ago = Now() - datetime.timedelta(minutes=3)
    Run.objects.filter(status=RunStatus.RUNNING).update(heartbeat=long_ago)
    Lease.objects.update(expires=Now() - datetime.timedelta(seconds=1))


def witnessed() -> Counter[tuple[int, str, str]]:
    """Return the changes of statuses that the database saw, and how often each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT account, was, became FROM witness")
        return Counter(tuple(row) for row in cursor.fetchall())


def told() -> Counter[tuple[int, str, str]]:
    """Return the changes that the ledger tells of, and how often each."""
    counts: Counter[tuple[int, str, str]] = Counter()
    for batch in Batch.objects.select_related("run"):
        change = batch.run.change
        moved = (change["was"]["status"], change["to"]["status"])
        counts.update((key, *moved) for key in batch.ids)
    return counts


def unbalanced() -> list[str]:
    """Say of each run whose counts, batches and ids differ, what they are."""
    wrong = []
    for run in Run.objects.order_by("pk"):
        batches = list(run.batch_set.order_by("number"))
        ids = [key for batch in batches for key in batch.ids]
        facts: dict[str, Any] = {
            "changed": run.changed,
            "counted": sum(batch.changed for batch in batches),
            "ids": len(ids),
        }
        numbers = [batch.number for batch in batches]
        if len(set(facts.values())) > 1 or numbers != list(range(1, run.batches + 1)):
            wrong.append(f"{run}: {facts}, {run.batches} batches {numbers}")
    return wrong


def complaints() -> list[str]:
    """Say everything in which the ledger, the database and itself do not agree."""
    seen, said = witnessed(), told()
    seen = Counter({key: count for key, count in seen.items() if key[1:] != PAYMENT})
    wrong = unbalanced()
    if seen != said:
        wrong.append(f"seen, not told: {seen - said}; told, not seen: {said - seen}")
    twice = [key for key, count in said.items() if count > 1]
    return wrong + [f"twice: {key}" for key in twice]


def statuses() -> dict[str, int]:
    """Return how many accounts stand in each status that is taken."""
    return dict(Counter(Account.objects.order_by("status").values_list("status", flat=True)))


def facts(known: Sequence[str] = ()) -> dict[str, Any]:
    """Return the state of the books, with complaints that are known already."""
    return {
        "complaints": [*known, *complaints()],
        "statuses": statuses(),
        "changes": sum(witnessed().values()),
    }
