"""How long one statement of a batch may wait or run, on each engine.

Short, because an end that is asked for must come soon (within 2 s): what takes longer is repeated.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOCK_SECONDS = 1
STATEMENT_SECONDS = 5


def before(connection: Any, lock_seconds: float | None = None) -> None:
    """Set the limits of the session, where the engine has no others; a new connection has none."""
    lock_seconds = lock_seconds or LOCK_SECONDS
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout = {int(lock_seconds * 1000)}")
        elif connection.vendor == "mysql":
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {math.ceil(lock_seconds)}")
            if connection.mysql_is_mariadb:
                cursor.execute(f"SET SESSION max_statement_time = {STATEMENT_SECONDS}")


def inside(connection: Any, lock_seconds: float | None = None) -> None:
    """Set the limits of the transaction that has just begun: a pooler may share the session."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true),"
            " set_config('statement_timeout', %s, true)",
            [f"{lock_seconds or LOCK_SECONDS}s", f"{STATEMENT_SECONDS}s"],
        )


def after(connection: Any) -> None:
    """Put the session's limits back."""
    if connection.connection is None:
        return
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            seconds = connection.settings_dict["OPTIONS"].get("timeout", 5)
            cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        elif connection.vendor == "mysql":
            cursor.execute("SET SESSION innodb_lock_wait_timeout = DEFAULT")
            if connection.mysql_is_mariadb:
                cursor.execute("SET SESSION max_statement_time = DEFAULT")


@contextmanager
def short(connection: Any) -> Iterator[None]:
    """Let SQLite wait shortly for a lock: nothing ends that wait. Other engines can be told to."""
    if connection.vendor != "sqlite":
        yield
        return
    before(connection)
    try:
        yield
    finally:
        after(connection)
