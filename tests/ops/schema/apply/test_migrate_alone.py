"""One migrator at a time, on real servers, with real processes."""

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply.engine_locks import (
    MYSQL_HOLDER,
    NUMBER,
    FolderLock,
    MysqlLock,
    PostgresqlLock,
)
from django_runbook.schema.apply.errors import LostLockError
from django_runbook.schema.apply.locks import alone
from tests.engines import server_url
from tests.ops.schema.apply.migrating import (
    THING,
    applied,
    migrate,
    postgres_fixture,
    server_fixture,
    tables,
)
from tests.ops.schema.conftest import MakeApp

__all__ = ["postgres_fixture", "server_fixture"]


def session(made: BaseDatabaseWrapper) -> psycopg.Connection:
    """Return another session on the same database, in which each statement is committed."""
    url = server_url(str(made.settings_dict["NAME"]))
    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def held(postgres: BaseDatabaseWrapper) -> Iterator[PostgresqlLock]:
    """Yield the lock, taken."""
    lock = PostgresqlLock(postgres)
    assert lock.take() is None
    yield lock
    lock.release()


def test_the_holder_keeps_nobody_waiting(
    postgres: BaseDatabaseWrapper, held: PostgresqlLock
) -> None:
    """It has no snapshot and no transaction id: VACUUM and CREATE INDEX CONCURRENTLY go on."""
    with session(postgres) as other:
        held.require()
        found = other.execute(
            "SELECT state, backend_xid, backend_xmin, application_name FROM pg_stat_activity "
            "JOIN pg_locks USING (pid) "
            "WHERE locktype = 'advisory' AND datname = current_database()"
        ).fetchall()
        assert [row[:3] for row in found] == [("idle in transaction", None, None)]
        assert re.fullmatch(rf"migrate, pid {os.getpid()} on .+", found[0][3])
        other.execute("CREATE TABLE busy (id int)")
        other.execute("SET statement_timeout = '3s'")
        other.execute("CREATE INDEX CONCURRENTLY busy_id ON busy (id)")
    held.release()


def test_the_holder_keeps_no_snapshot_at_a_higher_level(postgres: BaseDatabaseWrapper) -> None:
    """Where the project's settings ask for SERIALIZABLE, the lock's transaction is not so."""
    with session(postgres) as other:
        name = postgres.settings_dict["NAME"]
        other.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable")
        lock = PostgresqlLock(postgres)
        assert lock.take() is None
        found = other.execute(
            "SELECT backend_xmin FROM pg_stat_activity JOIN pg_locks USING (pid) "
            "WHERE locktype = 'advisory' AND datname = current_database()"
        ).fetchall()
        other.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
    assert found == [(None,)]
    lock.release()


def test_who_waits_leaves_no_transaction_open(
    postgres: BaseDatabaseWrapper, held: PostgresqlLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try that fails ends at once; a snapshot would stop the holder's CONCURRENTLY for ever."""
    impatient = {**postgres.settings_dict["OPTIONS"], "options": "-c lock_timeout=2s"}
    monkeypatch.setitem(postgres.settings_dict, "OPTIONS", impatient)
    other = PostgresqlLock(postgres)
    said = other.take()
    assert said is not None
    assert re.fullmatch(r"pid \d+ \(migrate, pid \d+ on .+\), for \d+ s", said)
    with session(postgres) as looking:
        assert looking.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
            "AND datname = current_database()"
        ).fetchone() == (1,)
    held.release()
    assert other.take() is None
    other.release()


def test_a_lock_given_back_is_free_at_once(
    postgres: BaseDatabaseWrapper, held: PostgresqlLock
) -> None:
    """The next migrator need not wait until the server has noticed that a connection closed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(held._own, "close", lambda: None)  # the server has not noticed yet
        held.release()
    other = PostgresqlLock(postgres)
    said = other.take()
    other.release()
    assert said is None


def test_locks_of_two_databases_are_two(
    postgres: BaseDatabaseWrapper, held: PostgresqlLock
) -> None:
    """The lock of one database is free in another of the same server."""
    with psycopg.connect(server_url()) as other:
        found = other.execute("SELECT pg_try_advisory_xact_lock(%s)", [NUMBER]).fetchone()
    assert found == (True,)
    held.release()


def test_refused_while_another_migrates(
    postgres: BaseDatabaseWrapper, held: PostgresqlLock, make_app: MakeApp
) -> None:
    """It is told who that is, once, then exit code 3; reading goes on all the while."""
    make_app("shop", m0001_initial=THING)
    done = migrate("shop", wait=0.3)
    found = re.search(r"pid N on [^)]+", done.err)
    assert found
    who = f"pid N (migrate, {found[0]}), for N s"
    assert (done.code, done.out) == (3, f"Waiting up to N s for another migrate to end: {who}\n")
    assert done.err == (
        f"Refused: another migrate of this database is at work, {who}; nothing was changed. "
        "Run 'inv db.migrate shop' again when it has ended, or wait longer with --wait."
    )
    assert migrate("shop", plan=True).code == 0
    held.release()
    assert migrate("shop", wait=0).code == 0


@pytest.mark.slow
def test_it_goes_on_when_the_other_has_ended(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """Whoever waited migrates with what is applied by then, and gives the lock back."""
    make_app("shop", m0001_initial=THING)
    with session(postgres) as other:
        other.autocommit = False
        other.execute("SET LOCAL lock_timeout = '10s'")
        other.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBER])
        timer = threading.Timer(0.3, other.rollback)
        timer.start()
        done = migrate("shop")
        timer.join()
    assert (done.code, "Waiting up to" in done.out) == (0, True)
    assert applied() == ["0001_initial"]
    with alone(connections["default"], wait=0, say=print):
        assert migrate("shop", "zero").code == 0  # a migrate within has the lock already


def test_a_lost_lock_stops_the_plan(postgres: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Where the lock's connection is cut, no further migration begins: another may be at work."""
    make_app(
        "shop",
        m0001_initial=THING,
        m0002_cut="""[migrations.RunSQL(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND datname = current_database()")]""",
        m0003_more="[migrations.DeleteModel('Thing')]",
    )
    done = migrate("shop")
    assert done.code == 4
    lines = done.err.splitlines()
    assert lines[0].startswith(
        "Stopped between two migrations: the lock that keeps other migrators away is lost: "
    )
    assert lines[1:] == [
        "Applied before that: shop.0001_initial, shop.0002_cut.",
        "Not done: shop.0003_more.",
        "'inv db.migrate shop' goes on. There is no way back: shop.0002_cut cannot be undone.",
    ]
    assert tables() == ["shop_thing"]


def test_sqlite_locks_the_folder_and_leaves_no_file(tmp_path: Path) -> None:
    """The folder of the file: one at a time, nothing to be seen, and free when it is closed."""
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert (first.take(), second.take()) == (None, "another process")
    assert list(tmp_path.iterdir()) == []
    first.release()
    assert second.take() is None
    second.release()


def test_mysql_asks_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name holds the database's; who has the lock is told; a lock that another has is lost."""
    answers = [(0,), (42,), ("app", "web1:5123"), (0,), (42,), None, (1,), (1,), (0,)]
    said = []

    class Cursor:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def execute(self, sql: str, parameters: object = ()) -> None:
            said.append((sql, parameters))

        def fetchone(self) -> object:
            return answers.pop(0)

    class Wrapper:
        vendor = "mysql"
        alias = "default"

        def __init__(self, settings_dict: object = None, _alias: str = "") -> None:
            self.settings_dict = settings_dict or {"NAME": "app"}

        def cursor(self) -> Cursor:
            return Cursor()

        def close(self) -> None:
            said.append(("close", ()))

    lock = MysqlLock(Wrapper())
    assert lock.take() == "connection 42 (app from web1:5123)"
    assert lock.take() == "connection 42"
    assert lock.take() is None
    lock.require()
    with pytest.raises(LostLockError, match="another session has it"):
        lock.require()
    lock.release()
    assert [sql for sql, _ in said] == [
        *["SELECT GET_LOCK(%s, 0)", "SELECT IS_USED_LOCK(%s)", MYSQL_HOLDER] * 2,
        "SELECT GET_LOCK(%s, 0)",
        "SET SESSION wait_timeout = 604800",
        *["SELECT IS_USED_LOCK(%s) = CONNECTION_ID()"] * 2,
        "SELECT RELEASE_LOCK(%s)",
        "close",
    ]
    names = {tuple(parameters) for sql, parameters in said if parameters and sql != MYSQL_HOLDER}
    assert len(names) == 1
    assert len(names.pop()[0]) <= 64
