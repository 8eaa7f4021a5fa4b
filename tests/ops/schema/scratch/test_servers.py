"""Where scratch databases may be made, and what a killed process leaves."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from django_runbook.schema.errors import NoServerError
from django_runbook.schema.scratch import servers
from django_runbook.schema.scratch.databases import workshop
from django_runbook.schema.scratch.servers import PREFIX, VARIABLE, postgresql_server
from tests.commands import ROOT
from tests.engines import server_settings, server_url
from tests.ops.schema.database.saving import default


@pytest.fixture
def unset(monkeypatch):
    """Take the variable out of the environment."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def empty(empty_database_url, engine, django_db_blocker):
    """Make an empty database ``default``."""
    with django_db_blocker.unblock(), default(empty_database_url):
        yield


def test_variable_comes_first(monkeypatch):
    """The variable names the server, whatever the target is; its password is not shown."""
    monkeypatch.setenv(VARIABLE, "postgresql://me:not-to-be-seen@db.example:5433/any")
    with postgresql_server("default") as server:
        assert (server.settings["HOST"], server.origin) == (
            "db.example",
            "the server of RUNBOOK_SCRATCH_DATABASE_URL",
        )
        assert "not-to-be-seen" not in repr(server)


def test_variable_that_names_another_engine_is_refused(monkeypatch):
    """SQLite is no server."""
    monkeypatch.setenv(VARIABLE, "sqlite:///x.sqlite3")
    with (
        pytest.raises(NoServerError, match=r"^RUNBOOK_SCRATCH_DATABASE_URL names no PostgreSQL"),
        postgresql_server("default"),
    ):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///any",
        "postgresql://me:not-to-be-seen@/any",
        "postgresql://:5433/any",
        "postgresql://db.example/any?service=mine",
    ],
)
def test_variable_that_names_no_host_is_refused(monkeypatch, url):
    """PGHOST or a service's file, which are the target's, would say where that is."""
    monkeypatch.setenv(VARIABLE, url)
    monkeypatch.setenv("PGHOST", "production.example")
    with pytest.raises(NoServerError) as refused, postgresql_server("default"):
        pass
    assert str(refused.value) == (
        "RUNBOOK_SCRATCH_DATABASE_URL names no host, which PGHOST or a service would fill in with "
        "the target's: write postgresql://HOST/postgres, or postgresql:///postgres?host=FOLDER for "
        "a socket."
    )


@pytest.mark.engines("postgresql")
def test_server_of_the_target_serves_on_this_machine(empty, unset, settings, monkeypatch):
    """The server that the target was reached on is used, unless the target is protected."""
    monkeypatch.setattr(servers, "find_spec", lambda _name: None)
    there = server_settings(server_url())
    with postgresql_server("default") as server:
        assert server.origin == "the server of the database"
        assert (server.settings["HOST"], server.settings["NAME"]) == (there["HOST"], "postgres")
    connections["default"].close()
    settings.ENVIRONMENT = "production"
    with pytest.raises(NoServerError), postgresql_server("default"):
        pass


@pytest.mark.engines("postgresql")
@pytest.mark.parametrize("variable", ["PGHOST", "PGHOSTADDR"])
def test_server_that_only_a_variable_names(empty, unset, monkeypatch, variable):
    """An empty HOST is no socket where the environment says more: nothing is made there."""
    monkeypatch.setattr(servers, "find_spec", lambda _name: None)
    connections["default"].settings_dict.update(HOST="", PORT="1")
    monkeypatch.setenv(variable, "127.0.0.1")
    with pytest.raises(NoServerError), postgresql_server("default"):
        pass


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Let every variable of libpq lead elsewhere, or to a session that can make nothing."""
    file = tmp_path / "services"
    file.write_text("[mine]\nhostaddr=192.0.2.1\n")
    for name, value in {
        "PGHOST": "192.0.2.1",
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGSERVICE": "mine",
        "PGSERVICEFILE": str(file),
        "PGDATABASE": "nowhere",
        "PGOPTIONS": "-c default_transaction_read_only=on",
        "PGTARGETSESSIONATTRS": "standby",
        "PGCONNECT_TIMEOUT": "3",
    }.items():
        monkeypatch.setenv(name, value)


def test_variables_of_the_target_lead_no_scratch_server_astray(elsewhere, postgresql):
    """The named server is reached, databases can be made, and the variables are there again."""
    made = postgresql.create()
    with made.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int)")
    assert os.environ["PGHOSTADDR"] == "192.0.2.1"
    assert os.environ["PGSERVICE"] == "mine"


@pytest.mark.slow
def test_variables_lead_no_embedded_server_astray(elsewhere, unset, monkeypatch, django_db_blocker):
    """Nor the one that is started for it, whose port and rights are its own."""
    for name, value in {"PGUSER": "me", "PGSSLMODE": "verify-full", "PGDATA": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    with django_db_blocker.unblock(), workshop("postgresql", "default") as made:
        assert made.origin == "embedded"
        with made.create().cursor() as cursor:
            cursor.execute("CREATE TABLE t (id int)")


def test_databases_are_gone_afterwards(postgresql):
    """What a workshop made is dropped when it ends, and so is what was left a day ago."""
    made = str(postgresql.create().settings_dict["NAME"])
    old = f"runbook_scratch_{int(time.time()) - 90_000}_1_1"
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{old}"')
        assert {made, old} <= names(connection)
        postgresql.close()
        with workshop("postgresql", "default"):
            pass
        assert not {made, old} & names(connection)


def test_role_that_may_make_none_is_told(scratch_server, monkeypatch):
    """A role without CREATEDB is one line, which says what mends it."""
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS no_maker")
        connection.execute("CREATE ROLE no_maker LOGIN PASSWORD 'x'")
        values = server_settings(server_url())
        user = f"{values['USER']}:{values['PASSWORD']}" if values["PASSWORD"] else values["USER"]
        monkeypatch.setenv(VARIABLE, server_url().replace(f"{user}@", "no_maker:x@"))
        try:
            with pytest.raises(NoServerError) as refused, workshop("postgresql", "default"):
                pass
        finally:
            connection.execute("DROP ROLE no_maker")
    assert str(refused.value) == (
        "The role may make no database on the server of RUNBOOK_SCRATCH_DATABASE_URL: grant it "
        "CREATEDB, or set RUNBOOK_SCRATCH_DATABASE_URL to a server where it may."
    )


def names(connection) -> set[str]:
    """Return the databases of the server."""
    return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


HOLD = """
import django, sys, time
django.setup()
from django_runbook.schema.scratch.databases import workshop
with workshop("postgresql", "default") as made:
    made.create()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_killed_process_leaves_a_server_that_the_next_one_stops(commands):
    """SIGKILL leaves the embedded server running; whoever starts one next stops and removes it."""
    env = commands.env({"DATABASE_URL": "sqlite://:memory:"})
    env |= {"DJANGO_SETTINGS_MODULE": "project.settings", "PYTHONPATH": f"{ROOT}:{ROOT}/backend"}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        (folder,) = Path(tempfile.gettempdir()).glob(f"{PREFIX}{process.pid}-*")
        postmaster = int((folder / "data/postmaster.pid").read_text().split()[0])
        process.send_signal(signal.SIGKILL)
    os.kill(postmaster, 0)
    servers._remove_leftovers()
    deadline = time.monotonic() + 10
    while folder.exists() or alive(postmaster):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Tell whether a process is there; one that only waits for its parent is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
