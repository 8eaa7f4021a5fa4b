"""Sees who keeps a migration waiting for a lock, while it waits (PostgreSQL alone)."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, InterfaceError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply.engine_locks import second
from django_runbook.schema.apply.steps import Holder, LockWait

#: Seconds before the first look, and between two. pg_blocking_pids stops the lock manager for a
#: moment, so it is asked only of a session that waits for a lock.
FIRST, LOOK = 0.5, 1.0
WAITS = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
WANTED = """
    SELECT CASE WHEN relation IS NOT NULL THEN relation::regclass::text
                WHEN locktype = 'transactionid' THEN 'what another transaction has written'
                WHEN locktype = 'virtualxid' THEN 'an older transaction'
                ELSE locktype END, mode
    FROM pg_locks
    WHERE pid = %s AND NOT granted LIMIT 1
"""
HOLDERS = """
    SELECT p.pid, coalesce(a.application_name, ''), coalesce(a.state, ''),
           coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float,
           coalesce(a.query, '')
    FROM (SELECT DISTINCT unnest(pg_blocking_pids(%s)) AS pid) p
    LEFT JOIN pg_stat_activity a USING (pid) ORDER BY p.pid
"""
#: Where a literal value can begin: a string, a number, a dollar quote, a comment.
LITERAL = re.compile(r"""['$]|--|/\*|(?<![\w"`])[\d.]""")
QUERY_LENGTH = 60


@contextmanager
def watched(
    connection: BaseDatabaseWrapper,
    backend: Callable[[], int | None],
    found: Callable[[LockWait], None],
) -> Iterator[None]:
    """Tell ``found``, in another thread, for whom the session with pid ``backend()`` waits.

    It is told again only where that has changed. A connection is opened for it only where a
    migration takes longer than half a second.
    """
    if connection.vendor != "postgresql":
        yield
        return
    over = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(connection, backend, found, over), daemon=True, name="lock-watch"
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)  # it may be connecting to a server that is gone


def without_literals(query: str) -> str:
    """Return how a query begins, up to its first literal value or comment."""
    start = " ".join(LITERAL.split(query, maxsplit=1)[0].split())
    if len(start) > QUERY_LENGTH:
        start = f"{start[:QUERY_LENGTH].rstrip()}..."
    return start


def _watch(
    connection: BaseDatabaseWrapper,
    backend: Callable[[], int | None],
    found: Callable[[LockWait], None],
    over: threading.Event,
) -> None:
    if over.wait(FIRST):
        return
    own = second(connection)
    before: set[int] = set()
    with suppress(DatabaseError, InterfaceError):  # this is a courtesy: the migration goes on
        try:
            while not over.is_set():
                pid = backend()
                wait = look(own, pid) if pid else None
                if wait and {holder.pid for holder in wait.holders} != before:
                    before = {holder.pid for holder in wait.holders}
                    found(wait)
                over.wait(LOOK)
        finally:
            own.close()


def look(own: BaseDatabaseWrapper, pid: int) -> LockWait | None:
    """Return for what and for whom a session waits, None where it does not."""
    with own.cursor() as cursor:
        cursor.execute(WAITS, [pid])
        if not cursor.fetchone():
            return None
        cursor.execute(WANTED, [pid])
        wanted = cursor.fetchone()
        cursor.execute(HOLDERS, [pid])
        holders = tuple(
            Holder(
                pid=row[0],
                application=row[1],
                state=row[2],
                seconds=row[3],
                query=without_literals(row[4]),
            )
            for row in cursor.fetchall()
        )
    if not wanted or not holders:
        return None
    return LockWait(on=wanted[0], mode=wanted[1], holders=holders)
