"""SQLite: its online backup copies a consistent state out of, and into, a file that is in use."""

import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import Error, connections

from django_runbook.schema.database.dumps.origins import Origin
from django_runbook.schema.database.target import absent
from django_runbook.schema.errors import BackupFailedError

BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
DEFAULT_TIMEOUT = 5.0  # seconds, as sqlite3.connect has it


def dump(alias: str, file: Path) -> Origin:
    """Copy the database into ``file`` and prove that the copy is sound.

    A copy of a database in WAL mode would be in that mode too, and need two more files to be read.
    """
    try:
        with closing(sqlite3.connect(file)) as copy:
            _copy(alias, _live(alias), copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            name = str(connections[alias].settings_dict["NAME"])
            _require_sound(copy, name)
    except (sqlite3.Error, Error) as error:
        raise BackupFailedError(f"sqlite3 failed: {error}.") from error
    return Origin(server=f"{socket.gethostname()}:{Path(name).absolute().parent}")


def load(alias: str, file: Path, *, privileges: bool) -> str:
    """Copy ``file`` over the database, in one transaction of the database's own.

    Putting another file in its place would leave open connections writing to the old one, and an
    old -wal or -journal to be played into the new one (sqlite.org/howtocorrupt.html, 1.2 and 2.4).
    A reader in WAL mode keeps the state that it began with; elsewhere the copy waits for readers,
    as long as the connection's ``timeout``. When it is interrupted, SQLite rolls it back.
    """
    new = absent(alias)
    name = str(connections[alias].settings_dict["NAME"])
    try:
        # immutable: the backup may lie in a folder that is read-only.
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as source:
            _require_sound(source, str(file))
            _require_same_pages(source, _live(alias))
            _copy(alias, source, _live(alias))
    except BaseException as error:
        connections[alias].close()
        if new:
            Path(name).unlink(missing_ok=True)
        if isinstance(error, (sqlite3.Error, Error)):
            raise BackupFailedError(f"sqlite3 failed: {error}.") from error
        raise
    connections[alias].close()
    return ""


def _live(alias: str) -> sqlite3.Connection:
    connection: Any = connections[alias]
    connection.ensure_connection()
    live: sqlite3.Connection = connection.connection
    return live


def _copy(alias: str, source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy all pages in one step, so that no other writer makes the copy begin again.

    sqlite3 itself would wait for a lock for ever.
    """
    options = connections[alias].settings_dict["OPTIONS"]
    deadline = time.monotonic() + float(options.get("timeout", DEFAULT_TIMEOUT))

    def waited(status: int, _remaining: int, _total: int) -> None:
        if status in BUSY and time.monotonic() > deadline:
            raise sqlite3.OperationalError(
                "another process holds the database: stop it and try again"
            )

    source.backup(target, progress=waited)


def _require_sound(copy: sqlite3.Connection, name: str) -> None:
    found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupFailedError(f"{name} is damaged: {' '.join(found.split())}.")


def _require_same_pages(source: sqlite3.Connection, live: sqlite3.Connection) -> None:
    """Say what SQLite's "attempt to write a readonly database" means here."""
    sizes = [it.execute("PRAGMA page_size").fetchone()[0] for it in (source, live)]
    mode = live.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal" and sizes[0] != sizes[1]:
        raise BackupFailedError(
            f"The backup has pages of {sizes[0]} bytes, the database of {sizes[1]}, and WAL mode "
            "keeps it from changing: run 'PRAGMA journal_mode=DELETE' in it first."
        )
