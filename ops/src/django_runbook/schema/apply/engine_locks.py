"""The lock of each engine; `locks` says why it is which."""

import copy
import fcntl
import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply.errors import LostLockError

#: The number of the advisory lock: "opsmigr8" in ASCII. Such locks belong to one database.
NUMBER = int.from_bytes(b"opsmigr8", "big")
MYSQL_SESSION = 7 * 24 * 60 * 60  # seconds that it may be idle
#: Whoever may not see other people's connections finds none.
MYSQL_HOLDER = "SELECT user, host FROM information_schema.processlist WHERE id = %s"
HOLDER = """
    SELECT a.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start)
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32) + l.objid::bigint = %s
"""


class PostgresqlLock:
    """A transaction-scoped advisory lock, in a transaction of its own connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._own = second(connection)

    def take(self) -> str | None:
        """Try to take it; a try that fails leaves no transaction open."""
        if self._own.get_autocommit():
            self._own.set_autocommit(False)
        with self._own.cursor() as cursor:
            # At any higher level the transaction would keep its snapshot.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [NUMBER])
            if (cursor.fetchone() or [False])[0]:
                for name, value in self._settings().items():
                    cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
                return None
            cursor.execute(HOLDER, [NUMBER])
            holder = cursor.fetchone()
        self._own.rollback()
        if holder is None:
            return "another one"
        return f"pid {holder[0]} ({holder[1]}), for {holder[2]:.0f} s"

    def _settings(self) -> dict[str, str]:
        name = f"migrate, pid {os.getpid()} on {socket.gethostname()}"[:63]
        timeouts = ["idle_in_transaction_session_timeout"]
        with self._own.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_settings WHERE name = 'transaction_timeout'")
            if cursor.fetchone():  # PostgreSQL 17
                timeouts.append("transaction_timeout")
        return {"application_name": name, **dict.fromkeys(timeouts, "0")}

    def require(self) -> None:
        """Ask for a sign of life: while the transaction lives, so does the lock."""
        _require(self._own, "SELECT 1", [])

    def release(self) -> None:
        """Give it back and close the connection; the server has it back on return."""
        with suppress(DatabaseError):
            self._own.rollback()  # a server notices a mere close a while later
        with suppress(DatabaseError):
            self._own.close()


class MysqlLock:
    """A named lock; names are the server's, so the database's name is in it."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._own = second(connection)
        database = str(connection.settings_dict["NAME"])
        self._name = f"runbook_migrate_{hashlib.sha256(database.encode()).hexdigest()[:32]}"

    def take(self) -> str | None:
        """Try to take it."""
        with self._own.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(%s, 0)", [self._name])
            if (cursor.fetchone() or [0])[0] == 1:
                cursor.execute(f"SET SESSION wait_timeout = {MYSQL_SESSION}")
                return None
            cursor.execute("SELECT IS_USED_LOCK(%s)", [self._name])
            number = (cursor.fetchone() or [None])[0]
            cursor.execute(MYSQL_HOLDER, [number])
            holder = cursor.fetchone()
        if number is None:
            return "another one"
        return f"connection {number}" + (f" ({holder[0]} from {holder[1]})" if holder else "")

    def require(self) -> None:
        """Ask whether this very connection has it still."""
        _require(self._own, "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()", [self._name])

    def release(self) -> None:
        """Give it back and close the connection; the server has it back on return."""
        with suppress(DatabaseError), self._own.cursor() as cursor:
            cursor.execute("SELECT RELEASE_LOCK(%s)", [self._name])
        with suppress(DatabaseError):
            self._own.close()


class FolderLock:
    """flock(2) on a folder."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY)

    def take(self) -> str | None:
        """Try to take it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "another process"
        except OSError:  # a file system without locks, such as some network folders
            return None
        return None

    def require(self) -> None:
        """Do nothing: no one else can close it."""

    def release(self) -> None:
        """Close the folder."""
        os.close(self._descriptor)


def second(connection: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """Return another connection to the same database, outside of Django's pool."""
    values = copy.deepcopy(connection.settings_dict)
    values["OPTIONS"] = {k: v for k, v in values.get("OPTIONS", {}).items() if k != "pool"}
    return type(connection)(values, connection.alias)


def _require(own: BaseDatabaseWrapper, query: str, parameters: list[str]) -> None:
    try:
        with own.cursor() as cursor:
            cursor.execute(query, parameters)
            if (cursor.fetchone() or [0])[0]:
                return
    except DatabaseError as error:
        raise LostLockError(str(error).partition("\n")[0]) from error
    raise LostLockError("another session has it")
