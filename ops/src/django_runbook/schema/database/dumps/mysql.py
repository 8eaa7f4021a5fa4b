"""MySQL and MariaDB: mysqldump writes SQL; a restore is made beside the database and swapped in."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import Error, connections

from django_runbook.schema.database.clients.shell import INSTALL
from django_runbook.schema.database.dumps.clients import candidates, client, run
from django_runbook.schema.database.dumps.origins import Origin
from django_runbook.schema.errors import BackupFailedError, BackupRefusedError, NoClientError

#: ``loose``: MySQL needs these, MariaDB's program does not know them.
OPTIONS = (
    *("--single-transaction", "--quick", "--skip-lock-tables", "--hex-blob", "--no-tablespaces"),
    *("--loose-set-gtid-purged=OFF", "--loose-column-statistics=0"),
)
#: What no two servers have in common, and no two databases of one.
HERE = "SELECT CONCAT_WS(' ', @@hostname, @@port, @@datadir, DATABASE())"
ASKING = ("--batch", "--skip-column-names", "--execute")
LOCK_TIMEOUT = 30  # seconds; the server's own default is a day or a year
DENIED = 1044  # the server's number of "access denied to database"
NAME_LENGTH = 40  # characters of the database's name in that of another; the limit is 64 in all


def dump(alias: str, file: Path) -> Origin:
    """Write the tables as SQL, in one transaction; without stored routines and events.

    Raises ``BackupRefusedError`` where the server's client reaches another one than the driver.
    """
    program = _program(alias, "mysqldump", "mariadb-dump")
    asking = client(alias, _program(alias, "mysql", "mariadb"), *ASKING, HERE)
    here = _ask(alias, HERE)
    connections[alias].close()  # the dump may take hours
    if run(asking).split() != "".join(here[:1]).split():
        raise BackupRefusedError(
            f"{Path(program).name} would reach another server than the application: name one "
            "server alone in DATABASE_URL."
        )
    dumping = client(alias, program, *OPTIONS)
    with file.open("wb") as sql:
        run(dumping, stdout=sql)
    host, port, *_ = [*"".join(here[:1]).split(), "", ""]
    return Origin(server=f"{host}:{port}", warning=dumping.warning())


def load(alias: str, file: Path, *, privileges: bool) -> str:
    """Restore into a new database, then exchange its tables for the old ones in one statement.

    Nothing that defines a table can be rolled back here, but one RENAME TABLE of them all is atomic
    (MySQL 8.0, MariaDB 10.6). It needs the right to create databases, and moves neither views nor
    triggers: a database that has some fails, untouched. Returns what the program was not told.
    """
    program = _program(alias, "mysql", "mariadb")
    try:
        (name,) = _ask(alias, "SELECT DATABASE()")
        mark = secrets.token_hex(4)
        new, old = (f"{name[:NAME_LENGTH]}_{role}_{mark}" for role in ("restore", "old"))
        _execute(alias, f"CREATE DATABASE {_quoted(alias, new)}")
        try:
            with file.open("rb") as sql:
                playing = client(alias, program, database=new)
                run(playing, stdin=sql)
            _require_tables_only(alias, [new, name])
            _swap(alias, name, new, old)
        finally:
            _execute(alias, f"DROP DATABASE {_quoted(alias, new)}")
    except Error as error:
        right = " Restoring needs the right to create databases." if error.args[0] == DENIED else ""
        raise BackupFailedError(f"mysql failed: {error.args[-1]}.{right}") from error
    return playing.warning()


def _swap(alias: str, name: str, new: str, old: str) -> None:
    """Move every table of ``name`` to ``old``, every one of ``new`` to ``name``; drop ``old``."""
    moves = [(name, table, old) for table in _tables(alias, name)]
    moves += [(new, table, name) for table in _tables(alias, new)]
    renamed = ", ".join(
        f"{_quoted(alias, source, table)} TO {_quoted(alias, target, table)}"
        for source, table, target in moves
    )
    _execute(alias, f"CREATE DATABASE {_quoted(alias, old)}")
    try:
        if renamed:
            _execute(alias, f"SET lock_wait_timeout = {LOCK_TIMEOUT}", f"RENAME TABLE {renamed}")
    except BaseException:
        if not _tables(alias, old):
            _execute(alias, f"DROP DATABASE {_quoted(alias, old)}")
        raise
    _execute(alias, f"DROP DATABASE {_quoted(alias, old)}")


def _require_tables_only(alias: str, names: Sequence[str]) -> None:
    others = _ask(
        alias,
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema IN %s AND table_type <> 'BASE TABLE' "
        "UNION SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema IN %s",
        [names, names],
    )
    if others:
        raise BackupFailedError(
            f"{others[0]} is a view, sequence or trigger, which cannot be swapped in: drop it, and "
            "restore the file with the mysql program."
        )


def _tables(alias: str, name: str) -> list[str]:
    return _ask(
        alias, "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [name]
    )


def _ask(alias: str, query: str, values: Sequence[Any] = ()) -> list[str]:
    """Return the first column of a query."""
    with connections[alias].cursor() as cursor:
        cursor.execute(query, values)
        return [row[0] for row in cursor.fetchall()]


def _execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _quoted(alias: str, *names: str) -> str:
    return ".".join(connections[alias].ops.quote_name(name) for name in names)


def _program(alias: str, mysql: str, mariadb: str) -> str:
    """Return the server's own program where it is installed, else the other's."""
    connection: Any = connections[alias]
    names = (mariadb, mysql) if connection.mysql_is_mariadb else (mysql, mariadb)
    for name in names:
        for found in candidates(name):
            return found
    raise NoClientError(f"{mysql} is not installed: {INSTALL['mysql']}.")
