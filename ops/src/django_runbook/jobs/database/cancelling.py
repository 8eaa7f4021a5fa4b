"""Breaks off the statement that another thread is waiting in, on each engine."""

from contextlib import suppress
from typing import Any

from django.db import Error, connections

CANCEL_SECONDS = 2.0  # for a server that does not answer; psycopg waits for 30


def cancel(connection: Any) -> None:
    """Break off what ``connection`` waits for, from another thread; nothing where it waits not.

    It may come too late, and hit the statement after: whoever asks for it must be able to repeat
    that. SQLite ends no wait for a lock so, which is why that must be short.

    Needs nothing of the session, so a pooler may stand between (PgBouncer passes it on).
    """
    driver = connection.connection
    if driver is None:
        return
    with suppress(Error, *_errors(connection)):  # it was closed meanwhile, or nobody answers
        if connection.vendor == "postgresql":
            if hasattr(driver, "cancel_safe"):
                driver.cancel_safe(timeout=CANCEL_SECONDS)
            else:  # psycopg2, and psycopg before 3.2
                driver.cancel()
        elif connection.vendor == "sqlite":
            driver.interrupt()
        elif connection.vendor == "mysql":
            _kill_query(connection.alias, driver.thread_id())


def _kill_query(alias: str, number: int) -> None:
    """Say it to the server from a connection of this thread's own."""
    own = connections[alias]
    try:
        with own.cursor() as cursor:
            cursor.execute("KILL QUERY %s", [number])
    finally:
        own.close()


def _errors(connection: Any) -> tuple[type[Exception], ...]:
    """Return the driver's own errors: it is asked past Django."""
    return (connection.Database.Error,)
