"""The guard: nothing destroys a protected database by mistake."""

import contextlib
import sqlite3
from typing import Any

import pexpect
import psycopg
import pytest
from invoke import Config, Context, Exit

from django_runbook.tasks.processes import target
from django_runbook.tasks.processes.target import Target
from tests.commands import ROOT

INSERT = (
    "INSERT INTO users_user (username, password, first_name, last_name, email, is_superuser, "
    "is_staff, is_active, date_joined) "
    "VALUES (?, '!', '', '', '', false, false, true, '2026-01-01')"
)


def connect(url: str) -> Any:
    """Return a connection that knows nothing of Django."""
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    return psycopg.connect(url)


def users(url: str) -> int:
    """Return how many users the database holds."""
    with contextlib.closing(connect(url)) as connection:
        return int(connection.execute("SELECT count(*) FROM users_user").fetchone()[0])


@pytest.fixture
def filled_url(database_url):
    """Return the URL of a database with five users."""
    with contextlib.closing(connect(database_url)) as connection:
        for name in "abcde":
            connection.execute(INSERT.replace("?", f"'{name}'"))
        connection.commit()
    return database_url


def at(**changes: str) -> Target:
    """Return a local target with changes."""
    values = {"environment": "local", "engine": "postgresql", "host": "localhost", "port": ""}
    return Target(**{**values, "database": "app", "user": "me", **changes})


@pytest.mark.parametrize(
    ("changes", "protected"),
    [
        ({}, False),
        ({"host": ""}, False),
        ({"host": "127.0.0.1"}, False),
        ({"host": "::1"}, False),
        ({"host": "/run/postgresql"}, False),
        ({"engine": "sqlite", "host": "", "database": "/x/db.sqlite3"}, False),
        ({"host": "db.example"}, True),
        ({"host": "10.0.0.7"}, True),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, True),
        ({"environment": "production", "engine": "sqlite", "host": ""}, True),
    ],
)
def test_protected_by_environment_or_host(changes, protected):
    """Production, what the configuration lists, and every other machine."""
    assert at(**changes).protected({"production", "staging"}) is protected


@pytest.mark.parametrize(
    ("confirm", "code"), [("app", None), ("App", 3), ("", 3), ("app ", 3), (None, 3)]
)
def test_confirmation_is_the_databases_name(confirm, code, capsys):
    """Only the name itself goes on; without a terminal and without it, nothing does."""
    context = Context(Config(overrides={"runbook": {"root": str(ROOT)}}))
    danger = at(host="db.example")
    if code is None:
        target.guard(context, danger, "Drop", confirm=confirm)
    else:
        with pytest.raises(Exit) as refused:
            target.guard(context, danger, "Drop", confirm=confirm)
        assert refused.value.code == code
    assert capsys.readouterr().err == "Drop: local postgresql me@db.example/app\n"


DESTRUCTIVE = [
    ["db.flush"],
    ["db.reset"],
    ["db.restore", "some.file"],
    ["db.migrate", "accounts", "zero"],
    ["db.migrate", "--", "accounts", "zero", "--lock-timeout=5"],
    ["manage", "--", "flush", "--no-input"],
    ["manage", "--", "migrate", "accounts", "zero"],
    ["manage", "--", "reset_db", "--noinput"],
]


@pytest.mark.slow
@pytest.mark.parametrize("argv", DESTRUCTIVE, ids=" ".join)
@pytest.mark.engines("sqlite")
def test_destructive_tasks_refuse_without_a_terminal(commands, filled_url, argv):
    """On a protected target each is refused with code 3, and every row is still there."""
    done = commands.inv(*argv, DATABASE_URL=filled_url, ENVIRONMENT="production")
    name = filled_url.rpartition("/")[2]
    assert (done.code, done.out) == (3, "")
    assert done.err.splitlines()[-1] == (
        f"Refused: the target is protected and there is no terminal. Add --confirm {name}."
    )
    assert users(filled_url) == 5


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_typing_the_name_goes_on_and_anything_else_does_not(commands, filled_url):
    """In a terminal the question is asked, with the target on the screen."""
    name = filled_url.partition("?")[0].rpartition("/")[2]
    for answer, code in (("no", 3), (name, 0)):
        terminal = commands.terminal("db.flush", DATABASE_URL=filled_url, ENVIRONMENT="production")
        terminal.expect_exact("Delete every row of: production postgresql postgres@")
        terminal.expect_exact(f"This is a protected target. Type {name} to go on: ")
        terminal.sendline(answer)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == code
        assert users(filled_url) == (5 if code else 0)


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_local_target_asks_for_nothing(commands, filled_url):
    """A file or a socket of this machine is emptied at once, and is shown."""
    done = commands.inv("db.flush", DATABASE_URL=filled_url)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("Delete every row of: local ")
    assert users(filled_url) == 0


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_going_forward_is_asked_for_where_there_is_something_to_do(commands, empty_database_url):
    """Nothing is applied to a protected target unasked; a look at the plan is free."""
    env = {"DATABASE_URL": empty_database_url, "ENVIRONMENT": "production"}
    refused = commands.inv("db.migrate", "contenttypes", "--lock-timeout", "1", **env)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith("Apply contenttypes.0001_initial and 1 more: production sqlite /")
    assert commands.inv("db.migrate", "contenttypes", "--plan", **env).code == 0
    name = empty_database_url.rpartition("/")[2]
    assert commands.inv("db.migrate", "contenttypes", "--confirm", name, **env).code == 0
    again = commands.inv("db.migrate", "contenttypes", **env)
    assert (again.code, again.err) == (0, "")


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_recording_without_running_is_told_so(commands, empty_database_url):
    """--fake is guarded in words of its own, in both directions."""
    env = {"DATABASE_URL": empty_database_url, "ENVIRONMENT": "production"}
    refused = commands.inv("db.migrate", "contenttypes", "--fake", **env)
    assert refused.code == 3
    assert refused.err.startswith(
        "Record as applied, without running, contenttypes.0001_initial and 1 more: production"
    )


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_dry_asks_nothing_and_does_nothing(commands, database_url):
    """--dry shows the target and the line that would run."""
    done = commands.inv("--dry", "db.flush", DATABASE_URL=database_url, ENVIRONMENT="production")
    assert done.code == 0
    assert done.out.endswith("manage.py flush --no-input\n")
    assert done.err.startswith("Delete every row of: production ")
