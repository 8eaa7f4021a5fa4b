"""One migrator at a time, across machines, and nothing left behind by one that crashes.

**PostgreSQL**: a connection of its own holds an open transaction with ``pg_advisory_xact_lock``.

- Not a session's advisory lock: behind PgBouncer's transaction pooling it would stay with a server
  connection that is given to others. A transaction keeps its server connection to itself.
- No row and no table: there is none before the first migration, and a row that a crash leaves has
  to be found out and removed. This lock ends with the connection, at once when the process is
  killed; after a machine was lost, when the server's TCP keepalive says so.
- It keeps nobody waiting: at READ COMMITTED an idle transaction that only holds an advisory lock
  has neither a transaction id nor a snapshot, so VACUUM is not held back and CREATE INDEX
  CONCURRENTLY does not wait for it. LOCK TABLE on ``django_migrations`` would keep the migrator
  itself from recording, SELECT FOR UPDATE takes a transaction id and holds VACUUM back.
- Whoever waits asks again and again with ``pg_try_advisory_xact_lock``, each time in a transaction
  that ends at once. One that is blocked in ``pg_advisory_xact_lock`` keeps its snapshot, and a
  CREATE INDEX CONCURRENTLY of the holder waits for that snapshot: a deadlock.
- ``idle_in_transaction_session_timeout`` and ``transaction_timeout`` are off in that transaction.
  An error in it would release the lock, so it is asked for nothing but a sign of life.

It needs a second connection while migrations run: a pool with room for one is too small.

**MariaDB, MySQL**: ``GET_LOCK`` on a connection of its own, which ends with the connection. What
statement a killed migrator has begun goes on there to its end all the same; the next one waits for
its table, and then meets what it has left.
**SQLite**: flock(2) on the database's folder: no file is made, and the system releases it. It
knows this machine alone, as SQLite does. **Others**: none.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply.engine_locks import FolderLock, MysqlLock, PostgresqlLock
from django_runbook.schema.apply.errors import LockedError

#: Seconds between two looks at a lock that another has.
LOOK = (0.2, 0.6)
#: The system's own: no two processes wait for the same time.
CHANCE = random.SystemRandom()


class Lock(Protocol):
    """What keeps other migrators away."""

    def take(self) -> str | None:
        """Try to take it, without waiting; return None, or in words who has it."""

    def require(self) -> None:
        """Raise ``LostLockError`` where it was lost."""

    def release(self) -> None:
        """Give it back."""


class NoLock:
    """For a database in memory, which is one process's own, and for engines without a lock."""

    def take(self) -> str | None:
        """Do nothing."""
        return None

    def require(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""


_held: set[str] = set()


@contextmanager
def alone(
    connection: BaseDatabaseWrapper, *, wait: float, say: Callable[[str], None]
) -> Iterator[Lock]:
    """Hold the lock of the connection's database; a migrate within a migrate has it already.

    Waits ``wait`` seconds for another migrator, and tells ``say`` who that is, once. Raises
    ``LockedError`` where it is still at work then.
    """
    name = repr(sorted((k, str(v)) for k, v in connection.settings_dict.items() if k in _IDENTITY))
    if name in _held:
        yield NoLock()
        return
    lock = _lock(connection)
    try:
        _take(lock, wait, say)
        _held.add(name)
        yield lock
    finally:
        _held.discard(name)
        lock.release()


_IDENTITY = {"ENGINE", "NAME", "HOST", "PORT"}


def _take(lock: Lock, wait: float, say: Callable[[str], None]) -> None:
    end = time.monotonic() + wait
    said = False
    while (holder := lock.take()) is not None:
        left = end - time.monotonic()
        if left <= 0:
            raise LockedError(holder)
        if not said:
            say(holder)
            said = True
        time.sleep(min(left, CHANCE.uniform(*LOOK)))


def _lock(connection: BaseDatabaseWrapper) -> Lock:
    if connection.vendor == "postgresql":
        return PostgresqlLock(connection)
    if connection.vendor == "mysql":
        return MysqlLock(connection)
    folder = _folder(connection) if connection.vendor == "sqlite" else None
    return FolderLock(folder) if folder and os.access(folder, os.R_OK) else NoLock()


def _folder(connection: Any) -> Path | None:
    """Return the folder of an SQLite file, None for a database in memory."""
    name = str(connection.settings_dict["NAME"])
    if connection.is_in_memory_db():
        return None
    file = Path(unquote(urlsplit(name).path) if name.startswith("file:") else name)
    return file.resolve().parent  # as the file's other names would
