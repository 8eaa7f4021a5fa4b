"""Databases to save, a backup of one, and client programs that are fakes."""

import os

import pytest

from django_runbook.schema.database.backups import backup
from django_runbook.schema.database.dumps import clients
from tests.commands import write_program
from tests.ops.schema.database.saving import NOW, Database, default


@pytest.fixture
def database(database_url, engine, django_db_blocker):
    """Return a migrated database with one group, ``before``."""
    with django_db_blocker.unblock(), default(database_url):
        made = Database(database_url, engine)
        made.add("before")
        yield made


@pytest.fixture
def empty(empty_database_url, engine, django_db_blocker):
    """Return a database without tables, which is ``default`` in the place of another."""
    with django_db_blocker.unblock(), default(empty_database_url):
        yield Database(empty_database_url, engine)


@pytest.fixture
def saved(database, tmp_path):
    """Return a backup with the group ``before``; the database has the group ``after`` as well."""
    file = tmp_path / "saved"
    backup(file, now=NOW)
    database.add("after")
    return file


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return what puts a program first on PATH; ``REAL`` is the path of the server's own one."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name, *body):
        file = folder / name
        real = (clients.from_package(name) or [""])[0]
        write_program(file, "\n".join(["import os, sys", f"REAL = {real!r}", *body]))

    return make
