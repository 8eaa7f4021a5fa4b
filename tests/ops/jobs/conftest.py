"""Accounts that are due, small batches, short waits, and other sessions of the database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.db.utils import load_backend
from pytest_django.plugin import DjangoDbBlocker

from django_runbook.jobs import registry
from tests.engines import server_settings
from tests.ops.jobs import books
from tests.ops.jobs import shelf as tables
from tests.ops.jobs.past_runs import declare_fixture

__all__ = ["declare_fixture"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a batch take three rows at the most, and a repetition wait for milliseconds."""
    for name in ("FIRST_SIZE", "LARGEST_SIZE", "LARGEST_PORTABLE"):
        monkeypatch.setattr(f"django_runbook.jobs.batches.loop.{name}", 3)
    monkeypatch.setattr("django_runbook.jobs.database.faults.FIRST_WAIT", 0.001)
    monkeypatch.setattr("django_runbook.jobs.database.faults.LONGEST_WAIT", 0.02)


@pytest.fixture
def five(db: None, quick: None) -> None:
    """Open five accounts that are due, in the transaction of the test, before a witness."""
    books.stage(5)


@pytest.fixture
def committed_five(transactional_db: None, quick: None) -> Iterator[None]:
    """Open five accounts that are due, for every session to see, before a witness."""
    books.stage(5)
    yield
    books.dismantle()


@pytest.fixture
def shared_url(database_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Return the URL of a new database that is the default one of this process as well."""
    before = connections["default"]
    values = connections.configure_settings({"default": server_settings(database_url)})["default"]
    shared = load_backend(values["ENGINE"]).DatabaseWrapper(values, "default")
    make_default(shared)
    with django_db_blocker.unblock():
        yield database_url
        shared.close()
    make_default(before)


def make_default(made: Any) -> None:
    """Let Django use this connection, and in other threads its settings."""
    connections.settings["default"] = made.settings_dict
    connections["default"] = made


@pytest.fixture
def session() -> Iterator[Callable[[], "psycopg.Connection[tuple[object, ...]]"]]:
    """Return what opens another session of the same PostgreSQL database, in autocommit."""
    with ExitStack() as opened:

        def another() -> "psycopg.Connection[tuple[object, ...]]":
            names = ("dbname", "user", "password", "host", "port")
            given = connection.get_connection_params()
            values = {name: given[name] for name in names if name in given}
            return opened.enter_context(psycopg.connect(**values, autocommit=True))

        yield another


@pytest.fixture
def jobs_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a test registers be forgotten, and no job have a limit on its share."""
    monkeypatch.setattr(registry, "_registered", dict(registry.transitions()))


@pytest.fixture
def shelf(db: None, quick: None, jobs_of_this_test: None) -> None:
    """Build tables of many kinds of fields, in the transaction of the test."""
    tables.build()


@pytest.fixture
def committed_shelf(transactional_db: None, quick: None, jobs_of_this_test: None) -> Iterator[None]:
    """Build the same tables for every session to see."""
    tables.build()
    yield
    tables.clear()
