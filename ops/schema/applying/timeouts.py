"""How long a migration waits for locks, and how long its statements may run.

PostgreSQL: within a transaction by ``set_config(..., true)``, which ends with it, so that nothing
is left on a session that a pooler hands to others. A migration without a transaction can have it
for the session alone; it is put back afterwards. Statements with CONCURRENTLY run without both: a
timeout would leave an invalid index, while their lock (SHARE UPDATE EXCLUSIVE) keeps no reader and
no writer waiting (PostgreSQL manual, CREATE INDEX, "Building Indexes Concurrently").
``client_connection_check_interval`` (14 and newer) ends the statement of a migrator that was
killed, which would go on otherwise, and hold its locks, until the server wants to answer.

MariaDB and MySQL take whole seconds, at least one. SQLite has a busy timeout and nothing else.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DatabaseError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from ops.schema.applying.errors import UnsupportedError
from ops.schema.applying.types import Limits

#: SQLSTATE: lock_not_available, deadlock_detected. Of the latter, a transaction is rolled back.
NO_LOCK, DEADLOCK = "55P03", "40P01"
#: MariaDB and MySQL: lock wait timeout exceeded, deadlock found.
MYSQL = {1205: NO_LOCK, 1213: DEADLOCK}
CLIENT_CHECK = "client_connection_check_interval"
SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED")


def require_supported(connection: BaseDatabaseWrapper, limits: Limits) -> None:
    """Raise ``UnsupportedError`` for a limit that this database has not."""
    has = connection.vendor == "postgresql" or getattr(connection, "mysql_is_mariadb", False)
    if limits.statement_timeout and not has:
        raise UnsupportedError(
            f"{connection.display_name} has no timeout for such statements: leave "
            "--statement-timeout out."
        )


def can_check_client(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the server can look after its client while a statement runs."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int >= 140000"
            " AND version() !~* 'mingw|visual|msvc'"  # Windows cannot tell
        )
        return bool((cursor.fetchone() or [False])[0])


def missed_lock(error: BaseException) -> str:
    """Return the SQLSTATE where an error is of a lock that was not got, else nothing."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state in {NO_LOCK, DEADLOCK}:
        return str(state)
    if str(getattr(cause, "sqlite_errorname", "")).startswith(SQLITE):
        return NO_LOCK
    code = error.args[0] if isinstance(error, OperationalError) and error.args else None
    return MYSQL.get(code, "") if isinstance(code, int) else ""


def set_in_transaction(connection: BaseDatabaseWrapper, limits: Limits) -> dict[str, str]:
    """Set PostgreSQL's timeouts until the transaction ends, and return what they were."""
    wanted = _postgresql(limits)
    before = _shown(connection, wanted)
    _set(connection, wanted, local=True)
    return before


def restore_in_transaction(connection: BaseDatabaseWrapper, before: Mapping[str, str]) -> None:
    """Put PostgreSQL's timeouts back, within the same transaction."""
    _set(connection, before, local=True)


@contextmanager
def in_session(connection: BaseDatabaseWrapper, limits: Limits) -> Iterator[None]:
    """Set the timeouts for the session, and put them back whatever happens."""
    if connection.vendor == "postgresql":
        wanted = _postgresql(limits)
        before = _shown(connection, wanted)
        with _put_back(lambda: _set(connection, before, local=False)):
            _set(connection, wanted, local=False)
            with connection.execute_wrapper(_without_for_concurrently(connection, before)):
                yield
    elif connection.vendor == "sqlite":
        with _sqlite(connection, limits):
            yield
    elif connection.vendor == "mysql":
        with _mysql(connection, limits):
            yield
    else:
        yield


def _postgresql(limits: Limits) -> dict[str, str]:
    values = {"lock_timeout": limits.lock_timeout, "statement_timeout": limits.statement_timeout}
    wanted = {name: f"{math.ceil(value * 1000)}ms" for name, value in values.items() if value}
    return wanted | ({CLIENT_CHECK: "1s"} if limits.client_check else {})


def _shown(connection: BaseDatabaseWrapper, names: Iterable[str]) -> dict[str, str]:
    with connection.cursor() as cursor:
        found = {}
        for name in names:
            cursor.execute("SELECT current_setting(%s)", [name])
            found[name] = str((cursor.fetchone() or [""])[0])
    return found


def _set(connection: BaseDatabaseWrapper, values: Mapping[str, str], *, local: bool) -> None:
    with connection.cursor() as cursor:
        for name, value in values.items():
            cursor.execute("SELECT set_config(%s, %s, %s)", [name, value, local])


def _without_for_concurrently(
    connection: BaseDatabaseWrapper, before: Mapping[str, str]
) -> Callable[..., Any]:
    def run(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001  # Django's signature
        if connection.in_atomic_block or " CONCURRENTLY " not in str(sql).upper():
            return execute(sql, params, many, context)
        limited = [name for name in before if name != CLIENT_CHECK]
        ours = _shown(connection, limited)
        _set(connection, dict.fromkeys(limited, "0"), local=False)
        try:
            return execute(sql, params, many, context)
        finally:
            with suppress(DatabaseError):
                _set(connection, ours, local=False)

    return run


@contextmanager
def _sqlite(connection: BaseDatabaseWrapper, limits: Limits) -> Iterator[None]:
    if not limits.lock_timeout:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        before = int((cursor.fetchone() or [0])[0])

    def put(milliseconds: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")

    with _put_back(lambda: put(before)):
        put(math.ceil(limits.lock_timeout * 1000))
        yield


@contextmanager
def _mysql(connection: BaseDatabaseWrapper, limits: Limits) -> Iterator[None]:
    wanted: dict[str, float] = {}
    if limits.lock_timeout:
        seconds = max(1, math.ceil(limits.lock_timeout))
        wanted = {"lock_wait_timeout": seconds, "innodb_lock_wait_timeout": seconds}
    if limits.statement_timeout:
        wanted["max_statement_time"] = limits.statement_timeout  # MariaDB's alone
    before: dict[str, float] = {}
    with connection.cursor() as cursor:
        for name in wanted:
            cursor.execute(f"SELECT @@SESSION.{name}")
            before[name] = (cursor.fetchone() or [0])[0]

    def put(values: Mapping[str, float]) -> None:
        with connection.cursor() as cursor:
            for name, value in values.items():
                cursor.execute(f"SET SESSION {name} = %s", [value])

    with _put_back(lambda: put(before)):
        put(wanted)
        yield


@contextmanager
def _put_back(restore: Callable[[], None]) -> Iterator[None]:
    """Call ``restore`` at the end; a connection that is gone has nothing to put back."""
    try:
        yield
    finally:
        with suppress(DatabaseError):
            restore()
