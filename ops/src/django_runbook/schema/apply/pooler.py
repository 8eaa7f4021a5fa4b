"""Timeouts of a migration without a transaction, behind a pooler.

PgBouncer's transaction pooling gives each transaction another server connection, and one statement
outside of any is a transaction, too. What such a statement sets for the session does not hold for
the next one, and stays with a connection that is given to others. So each statement gets a
transaction of its own, in which its timeouts are set and with which they end.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply import timeouts
from django_runbook.schema.apply.steps import Limits

#: SQLSTATE: active_sql_transaction (such as VACUUM), invalid_transaction_termination (a procedure
#: that commits). Neither has done anything.
REFUSED = ("25001", "2D000")
#: How a transaction of the migration's own begins and ends; its level is set before any query.
EDGES = ("BEGIN", "START TRANSACTION", "SET TRANSACTION", "COMMIT", "END", "ROLLBACK", "ABORT")
IDLE = 0  # libpq's PQTRANS_IDLE


def pooled(connection: BaseDatabaseWrapper, backend: int | None) -> bool:
    """Tell whether a pooler stands before the server's process: it gives out a pid of its own."""
    return bool(connection.connection.info.backend_pid != backend)


@contextmanager
def in_transactions(
    connection: BaseDatabaseWrapper, limits: Limits, began: Callable[[int | None], None]
) -> Iterator[None]:
    """Set the timeouts in each transaction; one statement outside of any is made one.

    ``began`` is told the pid of the server's process at each beginning, None where it is unknown:
    what cannot stand in a transaction runs without one, with the server's own timeouts.
    """

    def begin() -> None:
        wanted = timeouts.postgresql(limits)
        settings = "".join(", set_config(%s, %s, true)" for _ in wanted)
        values = [each for pair in wanted.items() for each in pair]
        with timeouts.unseen(connection) as cursor:
            cursor.execute(f"SELECT pg_backend_pid(){settings}", values)
            began(cursor.fetchone()[0])

    limited = False

    def run(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal limited
        words = str(sql).lstrip(" (\n").upper()
        idle = connection.connection.info.transaction_status == IDLE
        limited = limited and not idle
        if not idle or connection.in_atomic_block or not connection.get_autocommit():
            if not limited and not words.startswith(EDGES):
                begin()
                limited = True
            return execute(sql, params, many, context)
        if " CONCURRENTLY " not in words and not words.startswith(EDGES):
            try:
                with transaction.atomic(using=connection.alias):
                    begin()
                    return execute(sql, params, many, context)
            except DatabaseError as error:
                if timeouts.sqlstate(error) not in REFUSED:
                    raise
        began(None)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(run):
        yield
