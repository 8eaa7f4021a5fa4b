"""Timeouts: within a migration, and no longer; which error is a lock that was not got."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.schema.apply import blockers, timeouts
from tests.ops.schema.apply.migrating import (
    THING,
    TIMEOUTS,
    migrate,
    postgres_fixture,
    server_fixture,
    session_timeouts,
)
from tests.ops.schema.conftest import MakeApp

__all__ = ["postgres_fixture", "server_fixture"]


def test_timeouts_end_with_the_migration(
    postgres: BaseDatabaseWrapper, make_app: MakeApp, tmp_path: Path
) -> None:
    """Within they are as asked for, afterwards as the session had them, a transaction or not."""
    seen = tmp_path / "seen"
    text = f"""
        def look(apps, schema_editor):
            with schema_editor.connection.cursor() as cursor:
                for name in {TIMEOUTS}:
                    cursor.execute("SHOW " + name)
                    with open({str(seen)!r}, "a") as file:
                        file.write(cursor.fetchone()[0] + " ")


        class Migration(migrations.Migration):
            atomic = {{atomic}}
            dependencies = {{dependencies}}
            operations = [migrations.RunPython(look, look)]
    """
    make_app(
        "shop",
        m0001_atomic=text.format(atomic=True, dependencies=[]),
        m0002_plain=text.format(atomic=False, dependencies=[("shop", "0001_atomic")]),
    )
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '7s'")
    assert migrate("shop", statement_timeout=90).code == 0
    assert seen.read_text() == "2s 90s 1s 2s 90s 1s "
    assert session_timeouts() == ["7s", "0", "0"]
    seen.unlink()
    assert migrate("shop", "zero", lock_timeout=0).code == 0
    assert seen.read_text() == "7s 0 1s 7s 0 1s "
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


def test_a_transaction_around_gets_its_timeouts_back(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """Within a transaction of the caller's, they do not last to its end."""
    make_app("shop", m0001_initial=THING)
    with transaction.atomic():
        assert migrate("shop").code == 0
        assert session_timeouts() == ["0", "0", "0"]


def test_a_migration_may_set_its_isolation_level(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """PostgreSQL takes it before a transaction's first query, so that there is none of ours."""
    statements = [
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "DO $$ BEGIN RAISE '%', current_setting('transaction_isolation'); END $$",
    ]
    make_app("shop", m0001_initial=f"[migrations.RunSQL({statements})]")
    assert migrate("shop").err.startswith(
        "shop.0001_initial failed at operation 1 of 1 (Raw SQL operation): ProgrammingError: "
        "serializable; it was rolled back.\n"
    )


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (OperationalError(1205, "Lock wait timeout exceeded"), "55P03"),
        (OperationalError(1213, "Deadlock found"), "40P01"),
        (OperationalError(2013, "Lost connection"), ""),
        (OperationalError("database is locked"), ""),
        (ValueError(1205), ""),
    ],
)
def test_what_is_a_lock_that_was_not_got(error: Exception, state: str) -> None:
    """MariaDB's and MySQL's numbers; words alone are nothing to go by."""
    assert timeouts.missed_lock(error) == state


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("UPDATE a SET b = 'x'", "UPDATE a SET b ="),
        ("SELECT a.b FROM a1 WHERE c=5", "SELECT a.b FROM a1 WHERE c="),
        ("SELECT $tag$secret$tag$", "SELECT"),
        ("/* ann@example.com */ SELECT", ""),
        ("SELECT -- ann\n1", "SELECT"),
        ("ALTER TABLE `2fa` ADD x int", "ALTER TABLE `2fa` ADD x int"),
        ("<insufficient privilege>", "<insufficient privilege>"),
        ("SELECT " + "a" * 60, "SELECT " + "a" * 53 + "..."),
    ],
)
def test_a_query_is_shown_up_to_its_first_literal(query: str, said: str) -> None:
    """Values of rows stay out of the output."""
    assert blockers.without_literals(query) == said


@given(st.text(alphabet='abc_ \n"=(),*'), st.text())
def test_no_literal_is_shown(start: str, value: str) -> None:
    """Whatever stands in a string is not shown."""
    assert "§" not in blockers.without_literals(f"{start}'§{value}'")


class Cursor:
    """Stands in for MariaDB's: answers questions for variables, and writes all down."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, sql: str, parameters: Any = ()) -> None:
        self.said.append(sql % tuple(parameters or ()))

    def fetchone(self) -> tuple[int]:
        return (50,)


def test_mariadb_gets_whole_seconds_and_its_own_back() -> None:
    """Three variables are set for the session, and put back after an error, too."""

    class Wrapper:
        vendor, display_name, mysql_is_mariadb = "mysql", "MariaDB", True
        said: list[str] = []  # noqa: RUF012  # one test's own
        cursor: Callable[[], Cursor]

    wrapper: Any = Wrapper()
    wrapper.cursor = lambda: Cursor(wrapper.said)
    limits = timeouts.Limits(lock_timeout=0.5, statement_timeout=1.5)
    timeouts.require_supported(wrapper, limits)
    with pytest.raises(ValueError, match="x"), timeouts.in_session(wrapper, limits):
        raise ValueError("x")
    names = ["lock_wait_timeout", "innodb_lock_wait_timeout", "max_statement_time"]
    assert wrapper.said == [
        *(f"SELECT @@SESSION.{name}" for name in names),
        *(f"SET SESSION {n} = {v}" for n, v in zip(names, (1, 1, 1.5), strict=True)),
        *(f"SET SESSION {name} = 50" for name in names),
    ]
