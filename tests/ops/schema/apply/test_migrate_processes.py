"""Real migrates at once, in processes of their own."""

import signal
import subprocess
import sys
import time

import psycopg
import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply.engine_locks import NUMBER, PostgresqlLock
from tests.commands import ROOT, Commands
from tests.engines import server_url
from tests.ops.schema.apply.migrating import postgres_fixture, server_fixture

__all__ = ["postgres_fixture", "server_fixture"]


def start(commands: Commands, url: str, *argv: str) -> "subprocess.Popen[str]":
    """Start a real migrate."""
    return subprocess.Popen(
        [sys.executable, ROOT / "backend/manage.py", "migrate", *argv],
        env=commands.env({"DATABASE_URL": url}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def until_it_waits(migrator: "subprocess.Popen[str]") -> None:
    """Read what a migrate prints until it waits for a lock on a table."""
    assert migrator.stdout
    for line in migrator.stdout:
        if "Waiting for a lock on users_user (" in line:
            return
    pytest.fail(migrator.communicate()[1])


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_a_killed_migrator_leaves_nothing(commands: Commands, database_url: str) -> None:
    """While one waits for a table another is refused; it is killed, and the next goes on at once.

    SIGTERM ends that one with exit code 4, and the last one, with the table free, applies the rest.
    """
    assert start(commands, database_url, "users", "0002").communicate(timeout=60)[1] == ""
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE users_user IN ROW EXCLUSIVE MODE")
        first = start(commands, database_url, "--lock-timeout=20")
        until_it_waits(first)
        second = start(commands, database_url, "--wait=0")
        refused = second.communicate(timeout=60)[1]
        assert (second.returncode, f"(migrate, pid {first.pid} on " in refused) == (3, True)
        first.kill()
        first.communicate()
        time.sleep(2)  # by then the server has seen it, and ended its statement
        third = start(commands, database_url, "--wait=0", "--lock-timeout=20")
        until_it_waits(third)
        third.send_signal(signal.SIGTERM)
        stopped = third.communicate(timeout=60)[1]
        assert (third.returncode, stopped.splitlines()[0]) == (
            4,
            (
                "CommandError: Stopped by SIGTERM in users.0003_profile after its last operation; "
                "it was rolled back."
            ),
        )
    last = start(commands, database_url, "--wait=0")
    out, err = last.communicate(timeout=60)
    assert (last.returncode, err) == (0, "")
    assert "Applied users.0003_profile in " in out


@pytest.mark.slow
def test_of_many_at_once_one_applies_each(commands: Commands, empty_database_url: str) -> None:
    """Four processes on an empty database: all end well, and each migration is applied once."""
    migrators = [start(commands, empty_database_url) for _ in range(4)]
    done = [(migrator.communicate(timeout=120), migrator.returncode) for migrator in migrators]
    assert [code for _, code in done] == [0, 0, 0, 0], done
    outputs = [out for (out, _), _ in done]
    assert sum("Applying contenttypes.0001_initial... OK" in out for out in outputs) == 1
    assert sum("No migrations to apply." in out for out in outputs) == 3
    shown = commands.manage("showmigrations", "--plan", DATABASE_URL=empty_database_url).out
    assert "[ ]" not in shown


HOLDER = """
import sys, time, psycopg
with psycopg.connect(sys.argv[1]) as holder:
    holder.execute("SELECT pg_advisory_xact_lock(%s)", [int(sys.argv[2])])
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_has_nothing(postgres: BaseDatabaseWrapper) -> None:
    """The lock of a process that is killed is free at once."""
    url = server_url(str(postgres.settings_dict["NAME"]))
    argv = [sys.executable, "-c", HOLDER, url, str(NUMBER)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        lock = PostgresqlLock(postgres)
        assert lock.take() is not None
        holder.kill()
    end = time.monotonic() + 2
    while lock.take() is not None:
        assert time.monotonic() < end
    lock.release()
