"""Behind a pooler of transactions: timeouts that hold, and that stay with nobody else.

PgBouncer was the model: it gives out a pid of its own, and each transaction, or statement outside
of one, another of the server's connections.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply import blockers, executor
from django_runbook.schema.apply.editor import backend
from django_runbook.schema.apply.pooler import pooled
from django_runbook.schema.management.commands import migrate as command
from tests.commands import Done
from tests.engines import server_url
from tests.ops.schema.apply.migrating import (
    THING,
    TIMEOUTS,
    applied,
    migrate,
    postgres_fixture,
    server_fixture,
)
from tests.ops.schema.conftest import MakeApp

__all__ = ["postgres_fixture", "server_fixture"]

PLAIN = """
    from django.db import transaction
    from django.contrib.postgres.operations import AddIndexConcurrently

    def settings(cursor):
        cursor.execute("SELECT concat_ws(' ', {shown})")
        return cursor.fetchone()[0] + "\\n"


    def look(apps, schema_editor):
        with schema_editor.connection.cursor() as cursor, open({seen!r}, "a") as file:
            file.write(settings(cursor))
            with transaction.atomic():
                file.write(settings(cursor))
                with transaction.atomic():
                    file.write(settings(cursor))
        with schema_editor.connection.cursor() as cursor, open({seen!r}, "a") as file:
            cursor.execute("BEGIN")
            cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            file.write(settings(cursor))
            cursor.execute("ROLLBACK")


    class Migration(migrations.Migration):
        atomic = {atomic}
        dependencies = [("shop", "0001_initial")]
        operations = [{operations}]
"""
SHOWN = ", ".join(f"current_setting('{name}')" for name in TIMEOUTS)
LOOK = "migrations.RunPython(look, look)"


@pytest.fixture
def pool(
    postgres: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[psycopg.Connection]]:
    """Put a pooler before the server, and yield the two connections that it has there."""
    made: Any = postgres
    made.ensure_connection()
    own = made.connection
    raws = [own, made.get_new_connection(made.get_connection_params())]
    raws[1].autocommit = True
    create: Callable[..., Any] = made.create_cursor

    def rotate() -> None:
        raws.reverse()
        made.connection = raws[0]

    def another_each_time(name: str | None = None) -> Any:
        if made.get_autocommit() and not made.connection.info.transaction_status:
            rotate()
        return create(name)

    def asked(*given: Any) -> bool:
        rotate()  # the next one is another again
        return pooled(*given)

    monkeypatch.setattr(executor, "pooled", asked)
    monkeypatch.setattr(made, "create_cursor", another_each_time)
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 1)
    yield raws
    made.connection = own
    next(raw for raw in raws if raw is not own).close()


def in_sessions(pool: list[psycopg.Connection]) -> list[str]:
    """Return what the next client of the pool would find."""
    return [raw.execute(f"SELECT concat_ws(' ', {SHOWN})").fetchone()[0] for raw in pool]  # type: ignore[index]  # it has one row


def install(make_app: MakeApp, seen: Path, *operations: str, atomic: bool = False) -> None:
    """Install two migrations, of which the first is applied; the second has no transaction."""
    given = {"seen": str(seen), "shown": SHOWN, "atomic": atomic}
    text = PLAIN.format(operations=", ".join(operations), **given)
    make_app("shop", m0001_initial=THING, m0002_plain=text)
    assert migrate("shop", "0001").code == 0


def test_timeouts_hold_and_stay_with_nobody(
    postgres: BaseDatabaseWrapper,
    make_app: MakeApp,
    tmp_path: Path,
    pool: list[psycopg.Connection],
) -> None:
    """Whatever connection a statement gets, with a transaction of the migration's own or without.

    What a statement sets for the session holds for another one, and is the next client's.
    """
    seen = tmp_path / "seen"
    index = 'AddIndexConcurrently("thing", models.Index(fields=["name"], name="thing_name"))'
    install(make_app, seen, LOOK, index, "migrations.RunSQL('VACUUM shop_thing', '')", LOOK)
    between: list[list[str]] = []
    run = executor.in_transactions

    def looked_at(*given: Any) -> Any:
        def watched(execute: Any, *rest: Any) -> Any:
            if not connection.in_atomic_block and not pool[0].info.transaction_status:
                between.append(in_sessions(pool))
            return execute(*rest)

        with run(*given), connection.execute_wrapper(watched):
            yield

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(executor, "in_transactions", contextmanager(looked_at))
        assert migrate("shop", statement_timeout=90).code == 0
    assert seen.read_text() == "2s 90s 1s\n" * 8
    assert in_sessions(pool) == ["0 0 0", "0 0 0"]
    assert between
    assert {each for both in between for each in both} == {"0 0 0"}


def test_what_refuses_a_transaction_has_none(
    postgres: BaseDatabaseWrapper,
    make_app: MakeApp,
    tmp_path: Path,
    pool: list[psycopg.Connection],
) -> None:
    """VACUUM, a block that commits, and a transaction that the migration begins itself."""
    insert = "INSERT INTO shop_thing (name) VALUES"
    install(
        make_app,
        tmp_path / "seen",
        "migrations.RunSQL('VACUUM shop_thing')",
        f"migrations.RunSQL('DO $$ BEGIN {insert} (1); COMMIT; {insert} (2); END $$')",
        f"migrations.RunSQL(['BEGIN', '{insert} (3)', 'ROLLBACK'])",
        f"migrations.RunSQL('{insert} (4)')",
    )
    assert migrate("shop").code == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(name, ' ' ORDER BY name) FROM shop_thing")
        assert cursor.fetchone() == ("1 2 4",)
    assert in_sessions(pool) == ["0 0 0", "0 0 0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("atomic", "end"), [(False, "nothing of it was done"), (True, "it was rolled back")]
)
def test_no_lock_is_repeated(
    postgres: BaseDatabaseWrapper,
    make_app: MakeApp,
    tmp_path: Path,
    pool: list[psycopg.Connection],
    monkeypatch: pytest.MonkeyPatch,
    *,
    atomic: bool,
    end: str,
) -> None:
    """A statement waits no longer than asked for, and who holds the lock is looked up rightly."""
    monkeypatch.setattr(blockers, "FIRST", 0.05)
    monkeypatch.setattr(blockers, "LOOK", 0.05)
    monkeypatch.setattr(executor, "PAUSE", 0.02)
    add = "migrations.RunSQL('ALTER TABLE shop_thing ADD size int')"
    install(make_app, tmp_path / "seen", add, atomic=atomic)
    url = server_url(str(postgres.settings_dict["NAME"]))
    with psycopg.connect(url, application_name="report") as other:
        other.execute("SELECT FROM shop_thing")
        timer = threading.Timer(10, other.rollback)  # nobody waits for ever
        timer.start()
        done = migrate("shop", lock_timeout=0.3, lock_retries=1)
        timer.cancel()
    assert (done.code, done.err.splitlines()[0]) == (
        3,
        (
            "shop.0002_plain got no lock on shop_thing in 2 tries at operation 1 of 1 (Raw SQL "
            "operation), held by pid N, report, idle in transaction for N s (SELECT FROM "
            f"shop_thing); {end}."
        ),
    )
    assert applied() == ["0001_initial"]


def test_a_server_without_a_pooler_is_known(postgres: BaseDatabaseWrapper) -> None:
    """It names its own process."""
    assert not pooled(postgres, backend(postgres))


def test_a_pool_of_one_is_named(
    postgres: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PgBouncer's own words say nothing of it; any other error stays what it is."""
    make_app("shop", m0001_initial=THING)

    def refused(*_: object) -> None:
        raise OperationalError(said)

    monkeypatch.setattr(command, "can_check_client", refused)
    said = "query_wait_timeout"
    assert migrate("shop") == Done(
        1,
        "",
        "The pooler had no second connection in time: one keeps other migrators away, the "
        "other migrates. Give its pool (default_pool_size) room for two.",
    )
    said = "server closed the connection"
    with pytest.raises(OperationalError, match=said):
        migrate("shop")
