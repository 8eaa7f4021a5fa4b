"""Migrations that meet locks: short waits, repetition, and nothing left on the session."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from django_runbook.schema.apply import blockers, executor
from django_runbook.schema.scratch.databases import in_place
from tests.engines import server_settings, server_url
from tests.ops.schema.apply.migrating import (
    THING,
    applied,
    migrate,
    postgres_fixture,
    server_fixture,
    session_timeouts,
)
from tests.ops.schema.conftest import MakeApp

pytestmark = pytest.mark.slow

__all__ = ["postgres_fixture", "server_fixture"]

ADD = 'migrations.AddField("thing", "size", models.IntegerField(null=True))'
SHORT = {"lock_timeout": 0.3, "lock_retries": 1}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look soon, and pause for a moment only."""
    monkeypatch.setattr(blockers, "FIRST", 0.05)
    monkeypatch.setattr(blockers, "LOOK", 0.05)
    monkeypatch.setattr(executor, "PAUSE", 0.02)


@contextmanager
def another(made: BaseDatabaseWrapper) -> Iterator[psycopg.Connection]:
    """Open another session on a database, as a program called ``report``."""
    url = server_url(str(made.settings_dict["NAME"]))
    with psycopg.connect(url, application_name="report") as session:
        yield session


def reading(session: psycopg.Connection) -> None:
    """Hold ACCESS SHARE on the table of things, as a long report does."""
    session.execute("SELECT name FROM shop_thing WHERE name = 'secret'")


def two(make_app: MakeApp, second: str = f"[{ADD}]") -> None:
    """Install two migrations, of which the first is applied."""
    make_app("shop", m0001_initial=THING, m0002_size=second)
    assert migrate("shop", "0001").code == 0


WAITS = """\
1 migration to apply on {name}, in this order:
  shop.0002_size
Operations to perform:
  Apply all migrations: shop
Running migrations:
  Applying shop.0002_size...
    Waiting for a lock on shop_thing (AccessExclusiveLock): held by pid N, report, \
idle in transaction for N s (SELECT name FROM shop_thing WHERE name =)
    No lock, nothing of it was done: try 2 of {of} in N s
  Applying shop.0002_size...
"""


def test_no_lock_in_all_tries(postgres: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Who holds it is told while it waits and at the end; nothing changed is exit code 3."""
    two(make_app)
    with another(postgres) as session:
        reading(session)
        done = migrate("shop", **SHORT)
    assert done.code == 3
    held = (
        "held by pid N, report, idle in transaction for N s "
        "(SELECT name FROM shop_thing WHERE name =)"
    )
    assert done.out == WAITS.format(name=postgres.settings_dict["NAME"], of=2) + (
        f"    Waiting for a lock on shop_thing (AccessExclusiveLock): {held}\n"
    )
    assert done.err == (
        "shop.0002_size got no lock on shop_thing in 2 tries at operation 1 of 1 "
        f"(Add field size to thing), {held}; it was rolled back.\n"
        "Applied before that: nothing.\n"
        "Not done: shop.0002_size.\n"
        "Run 'inv db.migrate shop' again when the lock is free."
    )
    assert applied() == ["0001_initial"]
    assert session_timeouts() == ["0", "0", "0"]


def test_the_lock_comes_free(
    postgres: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration is repeated whole, from the state before it, and comes through."""
    create = "migrations.CreateModel('Size', [('id', models.BigAutoField(primary_key=True))])"
    rename = "migrations.RenameField('thing', 'name', 'title')"  # cannot be done twice
    two(make_app, f"[{create}, {rename}]")
    with another(postgres) as session:
        reading(session)
        monkeypatch.setattr(time, "sleep", lambda _pause: session.rollback())
        done = migrate("shop", lock_timeout=0.3, lock_retries=20)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        WAITS.format(name=postgres.settings_dict["NAME"], of=21)[:-1]
        + " OK\nApplied shop.0002_size in N s\n"
    )
    assert applied() == ["0001_initial", "0002_size"]


def test_something_applied_before_makes_it_a_failure(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """With one migration applied, the one without a lock is exit code 1, not 3."""
    make_app(
        "shop",
        m0001_initial=THING,
        m0002_more="[migrations.RunSQL('SELECT 1', 'SELECT 1')]",
        m0003_size=f"[{ADD}]",
    )
    assert migrate("shop", "0001").code == 0
    with another(postgres) as session:
        reading(session)
        done = migrate("shop", verbosity=0, **SHORT)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[1] == "Applied before that: shop.0002_more."
    assert applied() == ["0001_initial", "0002_more"]


PLAIN = """
    from django.contrib.postgres.operations import AddIndexConcurrently

    class Migration(migrations.Migration):
        atomic = False
        dependencies = [("shop", "0001_initial")]
        operations = [{operations}]
"""


def test_concurrently_waits_without_a_timeout(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """A timeout would leave an invalid index behind, while nobody waits for this lock."""
    index = 'AddIndexConcurrently("thing", models.Index(fields=["name"], name="thing_name"))'
    two(make_app, PLAIN.format(operations=index))
    with another(postgres) as session:
        session.execute("INSERT INTO shop_thing (name) VALUES ('x')")
        timer = threading.Timer(0.8, session.commit)
        timer.start()
        done = migrate("shop", lock_timeout=0.2, lock_retries=0, statement_timeout=0.4)
        timer.join()
    assert (done.code, done.err) == (0, "")
    assert session_timeouts() == ["0", "0", "0"]


def test_an_index_left_invalid_is_named(postgres: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Where building concurrently fails, the index to drop is named."""
    build = "CREATE UNIQUE INDEX CONCURRENTLY thing_name ON shop_thing (name)"
    two(make_app, PLAIN.format(operations=f"migrations.RunSQL('{build}')"))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop_thing (name) VALUES ('x'), ('x')")
    done = migrate("shop")
    assert (done.code, done.err) == (
        1,
        (
            "shop.0002_size failed at operation 1 of 1 (Raw SQL operation): IntegrityError: "
            'could not create unique index "thing_name"; '
            "it has no transaction, and is half done:\n"
            "  1. Raw SQL operation: begun\n"
            "  Invalid index: thing_name. Drop it: DROP INDEX CONCURRENTLY thing_name\n"
            "Undo by hand what was completed; or complete the rest by hand and run "
            "'inv db.migrate shop 0002_size -- --fake'.\n"
            "Applied before that: nothing.\n"
            "Not done: shop.0002_size.\n"
            "Then run 'inv db.migrate shop'."
        ),
    )


def test_nothing_is_repeated_that_is_committed(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """Without a transaction: not tried again after a statement that wrote; again before one."""
    create = "migrations.RunSQL('CREATE TABLE shop_more (id int)', 'DROP TABLE shop_more')"
    two(make_app, PLAIN.format(operations=f"{create}, {ADD}"))
    with another(postgres) as session:
        reading(session)
        done = migrate("shop", verbosity=0, **SHORT)
    assert (done.code, done.err.splitlines()[0].partition(", held")[0]) == (
        1,
        (
            "shop.0002_size got no lock on shop_thing in one try at operation 2 of 2 "
            "(Add field size to thing)"
        ),
    )
    make_app(
        "toys", m0001_initial=THING, m0002_size=PLAIN.format(operations=ADD).replace("shop", "toys")
    )
    assert migrate("toys", "0001").code == 0
    with another(postgres) as session:
        session.execute("SELECT FROM toys_thing")
        done = migrate("toys", verbosity=0, **SHORT)
    assert done.code == 3
    assert " in 2 tries at operation 1 of 1 " in done.err
    assert "; nothing of it was done.\n" in done.err


@pytest.fixture
def sqlite_file(scratch_server: None, tmp_path: Path) -> Iterator[Path]:
    """Make ``default`` an SQLite file."""
    file = tmp_path / "app.sqlite3"
    values = server_settings(f"sqlite:///{file}")
    values = connections.configure_settings({"default": values})["default"]
    made = load_backend(values["ENGINE"]).DatabaseWrapper(values, "default")
    with in_place(made, "default"):
        yield file
        made.close()


def test_sqlite_is_tried_again(sqlite_file: Path, make_app: MakeApp) -> None:
    """A file that another process writes to: repeated, exit code 3, then it comes through."""
    two(make_app)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 4321")
    with closing(sqlite3.connect(sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        done = migrate("shop", **SHORT)
        assert time.monotonic() - started < 3
    assert (done.code, done.err) == (
        3,
        (
            "shop.0002_size got no lock in 2 tries before its first operation; "
            "it was rolled back.\n"
            "Applied before that: nothing.\n"
            "Not done: shop.0002_size.\n"
            "Run 'inv db.migrate shop' again when the lock is free."
        ),
    )
    assert "    No lock, nothing of it was done: try 2 of 2 in N s\n" in done.out
    assert migrate("shop").code == 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (4321,)
