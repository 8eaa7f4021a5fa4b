"""How long a migration waits for locks, and how long its statements may run.

PostgreSQL: within a transaction by ``SET LOCAL``, which ends with it, so that nothing is left on a
session that a pooler hands to others. A migration without a transaction has it for the session, and
it is put back afterwards; behind a pooler see ``pooling``. Statements with CONCURRENTLY run without
both: a timeout would leave an invalid index, while their lock (SHARE UPDATE EXCLUSIVE) keeps no
reader and no writer waiting (PostgreSQL manual, CREATE INDEX, "Building Indexes Concurrently").
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

from django_runbook.schema.apply.errors import UnsupportedError
from django_runbook.schema.apply.steps import Limits

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
    if (state := sqlstate(error)) in {NO_LOCK, DEADLOCK}:
        return state
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    if str(getattr(cause, "sqlite_errorname", "")).startswith(SQLITE):
        return NO_LOCK
    return MYSQL.get(mysql_code(error), "") if isinstance(error, OperationalError) else ""


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of an error, nothing where it has none."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else None
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or "")


def mysql_code(error: BaseException) -> int:
    """Return MariaDB's or MySQL's number of an error, 0 where it has none."""
    code = error.args[0] if isinstance(error, DatabaseError) and error.args else 0
    return code if isinstance(code, int) else 0


def set_in_transaction(connection: BaseDatabaseWrapper, limits: Limits) -> dict[str, str]:
    """Set PostgreSQL's timeouts until the transaction ends, and return what they were."""
    wanted = postgresql(limits)
    with connection.cursor() as cursor:
        before = _shown(cursor, wanted)
        _set(cursor, wanted, local=True)
    return before


def restore_in_transaction(connection: BaseDatabaseWrapper, before: Mapping[str, str]) -> None:
    """Put PostgreSQL's timeouts back, within the same transaction."""
    with connection.cursor() as cursor:
        _set(cursor, before, local=True)


@contextmanager
def in_session(connection: BaseDatabaseWrapper, limits: Limits) -> Iterator[None]:
    """Set the timeouts for the session, and put them back whatever happens."""
    if connection.vendor == "postgresql":
        wanted = postgresql(limits)
        with connection.cursor() as cursor:
            before = _shown(cursor, wanted)

        def put(values: Mapping[str, str]) -> None:
            with connection.cursor() as cursor:
                _set(cursor, values, local=False)

        with _put_back(lambda: put(before)):
            put(wanted)
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


def postgresql(limits: Limits) -> dict[str, str]:
    """Return PostgreSQL's settings for the limits; one that is 0 is left alone."""
    values = {"lock_timeout": limits.lock_timeout, "statement_timeout": limits.statement_timeout}
    wanted = {name: f"{math.ceil(value * 1000)}ms" for name, value in values.items() if value}
    return wanted | ({CLIENT_CHECK: "1s"} if limits.client_check else {})


@contextmanager
def unseen(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """Yield a cursor of whose statements wrappers are not told: they are not the migration's."""
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        yield cursor


def _shown(cursor: Any, names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        cursor.execute(f"SHOW {name}")
        found[name] = str((cursor.fetchone() or [""])[0])
    return found


def _set(cursor: Any, values: Mapping[str, str], *, local: bool) -> None:
    # No query: before the first of a transaction, a migration may set its isolation level.
    for name, value in values.items():
        cursor.execute(f"SET {'LOCAL' if local else 'SESSION'} {name} = '{value}'")


def _without_for_concurrently(
    connection: BaseDatabaseWrapper, before: Mapping[str, str]
) -> Callable[..., Any]:
    def run(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if connection.in_atomic_block or " CONCURRENTLY " not in str(sql).upper():
            return execute(sql, params, many, context)
        limited = [name for name in before if name != CLIENT_CHECK]
        with unseen(connection) as cursor:
            ours = _shown(cursor, limited)
            _set(cursor, dict.fromkeys(limited, "0"), local=False)
        try:
            return execute(sql, params, many, context)
        finally:
            with suppress(DatabaseError), unseen(connection) as cursor:
                _set(cursor, ours, local=False)

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
