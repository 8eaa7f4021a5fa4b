"""What tests of backups share: a database of their own, and the commands in this process."""

import contextlib
import datetime
import hashlib
import io
import json
import socket
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.utils import load_backend

from tests.engines import server_settings

NOW = datetime.datetime(2026, 3, 1, 4, 17, 5, 123456, tzinfo=datetime.UTC)
PROFILE = "users.0003_profile"
GROUPS = "SELECT name FROM auth_group ORDER BY name"
ADD = "INSERT INTO auth_group (name) VALUES ('{}')"


@dataclass(frozen=True)
class Database:
    """A database that Django calls ``default``, asked here through connections of its own."""

    url: str
    engine: str

    def connect(self):
        """Return a new connection that commits each statement."""
        if self.engine == "postgresql":
            return contextlib.closing(psycopg.connect(self.url, autocommit=True))
        file = self.url.removeprefix("sqlite:///")
        return contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=1))

    def run(self, *statements):
        """Execute statements and return the first column of the last one's rows."""
        with self.connect() as connection:
            for statement in statements:
                rows = connection.execute(statement)
            return [row[0] for row in rows.fetchall()] if rows.description else []

    def add(self, *names):
        """Add groups."""
        self.run(*map(ADD.format, names))

    @property
    def name(self):
        """The database's name, of a file its last part."""
        return Path(server_settings(self.url)["NAME"]).name

    @property
    def groups(self):
        """The names of the groups."""
        return self.run(GROUPS)

    @property
    def tables(self):
        """The names of the tables."""
        queries = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
            "postgresql": "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p') "
            "AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
        }
        return set(self.run(queries[self.engine]))


@contextlib.contextmanager
def default(url):
    """Make a database ``default``; SQLite waits for a lock for 0.3 s."""
    values = server_settings(url)
    if url.startswith("sqlite"):
        values["OPTIONS"]["timeout"] = 0.3
    values = connections.configure_settings({"default": values})["default"]
    connection = load_backend(values["ENGINE"]).DatabaseWrapper(values, "default")
    before = connections["default"], connections.settings["default"]
    connections["default"], connections.settings["default"] = connection, values
    yield
    connection.close()
    connections["default"], connections.settings["default"] = before


def source(database):
    """Return how a backup names the server of a database, which is on this machine."""
    values = server_settings(database.url)
    if database.engine == "sqlite":
        return f"{socket.gethostname()}:{Path(values['NAME']).parent}"
    host = str(values["HOST"])
    return f"{socket.gethostname() if host.startswith('/') else host}:{values['PORT'] or 5432}"


def manage(*argv):
    """Run a command in this process; return its exit code and its one line or few."""
    out = io.StringIO()
    try:
        call_command(*map(str, argv), stdout=out)
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def describe(file, **changes):
    """Change the manifest of a backup; by default it gets the file's own checksum."""
    manifest = Path(f"{file}.json")
    content = file.read_bytes()
    own = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **own, **changes}))
