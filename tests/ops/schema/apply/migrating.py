"""Runs migrate in this process, on a scratch database, and gives what it printed."""

import os
import re
from collections.abc import Iterator
from io import StringIO
from unittest import mock

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.plugin import DjangoDbBlocker

from django_runbook.schema.scratch.databases import in_place, workshop
from django_runbook.schema.scratch.servers import VARIABLE
from tests.commands import Done
from tests.engines import server_url

TIMEOUTS = ("lock_timeout", "statement_timeout", "client_connection_check_interval")
MODEL = 'migrations.CreateModel("{}", [("id", models.BigAutoField(primary_key=True))])'
THING = """[
    migrations.CreateModel("Thing", [
        ("id", models.BigAutoField(primary_key=True, serialize=False)),
        ("name", models.CharField(max_length=9)),
    ]),
]"""


@pytest.fixture(scope="module", name="server")
def server_fixture(django_db_blocker: DjangoDbBlocker) -> Iterator[BaseDatabaseWrapper]:
    """Yield a connection to a database that the tests of a module share: one takes time."""
    given = mock.patch.dict(os.environ, {VARIABLE: server_url()})
    with given, django_db_blocker.unblock(), workshop("postgresql", "default") as made:
        database = made.create()
        with database.cursor() as cursor:  # whatever the server's own are
            name = database.ops.quote_name(database.settings_dict["NAME"])
            for timeout in TIMEOUTS:
                cursor.execute(f"ALTER DATABASE {name} SET {timeout} = 0")
        database.close()
        yield database


@pytest.fixture(name="postgres")
def postgres_fixture(server: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """Make ``default`` an empty PostgreSQL database."""
    with in_place(server, "default"):
        with server.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        yield server


@pytest.fixture(params=["sqlite", "postgresql"], name="database")
def database_fixture(request: pytest.FixtureRequest) -> Iterator[BaseDatabaseWrapper]:
    """Make ``default`` an empty database of each engine."""
    if request.param == "postgresql":
        yield request.getfixturevalue("postgres")
        return
    request.getfixturevalue("scratch_server")
    with workshop("sqlite", "default") as made, in_place(made.create(), "default") as empty:
        yield empty


def migrate(*argv: str, **options: object) -> Done:
    """Migrate, and return the exit code and the text, with times masked."""
    out = StringIO()
    options = {"wait": 3, **options}
    try:
        call_command("migrate", *argv, stdout=out, no_color=True, **options)
    except CommandError as error:
        return Done(error.returncode, masked(out.getvalue()), masked(str(error)))
    return Done(0, masked(out.getvalue()), "")


def masked(text: str) -> str:
    """Replace times and pids, which are others each time."""
    text = re.sub(r"\d+\.\d+ s\b", "N s", text)
    text = re.sub(r"for \d+ s\b", "for N s", text)
    return re.sub(r"pid \d+", "pid N", text)


def applied(label: str = "shop") -> list[str]:
    """Return what the database has recorded for an app."""
    recorded = MigrationRecorder(connection).applied_migrations()
    return sorted(name for app, name in recorded if app == label)


def tables(label: str = "shop") -> list[str]:
    """Return the tables of an app."""
    return [t for t in connection.introspection.table_names() if t.startswith(f"{label}_")]


def session_timeouts() -> list[str]:
    """Return what the session of ``default`` has."""
    with connection.cursor() as cursor:
        found = []
        for name in TIMEOUTS:
            cursor.execute(f"SHOW {name}")
            found.append(cursor.fetchone()[0])
    return found
