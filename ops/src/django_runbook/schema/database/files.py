"""Keeps commands from making an SQLite file: where there should be one, a path is misspelt.

SQLite makes the file that it is asked to open, and an empty database looks like a new one.
"""

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.management import get_commands
from django.core.management.base import CommandError
from django.db import OperationalError, connections

#: Commands that make the file, or bring one back; Django's and others' for tests do so as well.
MAKES = ("migrate", "reset_db", "restore")
TESTS = "test"


class NoSuchFileError(OperationalError, CommandError):
    """The database is an SQLite file that is not there; whoever asks for it ends with one line."""

    def __init__(self, name: str) -> None:
        CommandError.__init__(
            self,
            f"{name}: no such file. Check the path in DATABASE_URL or DATABASES; "
            "'inv db.migrate' makes a new database.",
        )


def require_file(connection: Any) -> None:
    """Raise ``NoSuchFileError`` where connecting would make an SQLite file."""
    if connection.vendor != "sqlite" or connection.is_in_memory_db():
        return
    name = str(connection.settings_dict["NAME"])
    place = urlsplit(name) if name.startswith("file:") else None
    if place and "mode" in parse_qs(place.query) and "rwc" not in parse_qs(place.query)["mode"]:
        return  # SQLite itself makes none
    file = Path(unquote(place.path) if place else name)
    if name and not file.exists():
        raise NoSuchFileError(str(file))


def guard_files() -> None:
    """Let no connection of this process make an SQLite file, where it runs a command that has none.

    A server, a worker, a test run and a script are left alone: the first word is no command there.
    """
    command = sys.argv[1] if sys.argv[1:] else ""
    if command in MAKES or command.startswith(TESTS) or command not in get_commands():
        return
    # makemigrations looks at what is applied, where there is a database
    warnings.filterwarnings("ignore", "Got an error checking.*no such file", RuntimeWarning)
    handler: Any = connections
    plain, there = handler.create_connection, _there(handler.settings)

    def created(alias: str) -> Any:
        made = plain(alias)
        return made if alias in there else _careful(made)

    handler.create_connection = created  # in every thread
    for made in handler.all(initialized_only=True):
        if made.alias not in there:
            _careful(made)


def _there(databases: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Return the aliases whose file is there now.

    Where it is not there later, the command has removed it, as one does that resets a demo site,
    and may make it anew.
    """
    return frozenset(
        alias
        for alias, values in databases.items()
        if "sqlite" in values["ENGINE"] and Path(str(values["NAME"])).is_file()
    )


def _careful(connection: Any) -> Any:
    """Return a connection that looks for its file before it connects."""
    plain = connection.connect

    def connect() -> None:
        require_file(connection)
        plain()

    connection.connect = connect
    return connection
