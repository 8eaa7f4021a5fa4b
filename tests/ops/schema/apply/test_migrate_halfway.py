"""A migration without a transaction that ends in mid-way: what exactly stands in the database."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration, RunPython, RunSQL
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.schema.apply import standing
from django_runbook.schema.apply.progress import Progress
from tests.ops.schema.apply.migrating import (
    THING,
    database_fixture,
    migrate,
    postgres_fixture,
    server_fixture,
)
from tests.ops.schema.conftest import MakeApp

__all__ = ["database_fixture", "postgres_fixture", "server_fixture"]

PRICE = """migrations.CreateModel("Price", [
            ("id", models.BigAutoField(primary_key=True)),
            ("amount", models.IntegerField(db_index=True)),
        ])"""
PLAIN = """
    class Migration(migrations.Migration):
        atomic = False
        dependencies = [("shop", "0001_initial")]
        operations = [{}]
"""


def ended(make_app: MakeApp, *operations: str) -> list[str]:
    """Return what is said where these operations fail, up to the advice."""
    make_app("shop", m0001_initial=THING, m0002_plain=PLAIN.format(", ".join(operations)))
    assert migrate("shop", "0001").code == 0
    done = migrate("shop")
    assert done.code == 1
    return done.err.partition("\nUndo by hand")[0].splitlines()


def test_statements_and_what_is_held_back_are_told(
    database: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """An operation that was begun has done some statements; indexes come at the end, and do not."""
    statements = ["CREATE TABLE shop_a (id int)", "CREATE TABLE shop_b (id int)", "SELECT nonsense"]
    said = ended(make_app, PRICE, f"migrations.RunSQL({statements})")
    assert said[0].endswith("; it has no transaction, and is half done:")
    assert said[1:] == [
        "  1. Create model Price: completed",
        (
            "  2. Raw SQL operation: begun, 2 statements completed, "
            "the last: CREATE TABLE shop_b (id int)"
        ),
        (
            "  Left for the end, not done: "
            'CREATE INDEX "shop_price_amount_b5674a28" ON "shop_price" ("amount")'
        ),
    ]


def test_what_fails_at_the_end_is_told(postgres: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Of what was held back the first is done, the second is not, and nothing after it."""
    child = """migrations.CreateModel("Child", [
        ("id", models.BigAutoField(primary_key=True)),
        ("one", models.ForeignKey("shop.Thing", models.CASCADE, null=True, related_name="+")),
        ("two", models.ForeignKey("shop.Thing", models.CASCADE, db_index=False)),
    ])"""
    insert = "migrations.RunSQL('INSERT INTO shop_child (id, two_id) VALUES (1, 99)')"
    said = ended(make_app, child, insert)
    assert said[1:] == [
        "  1. Create model Child: completed",
        "  2. Raw SQL operation: completed",
        (
            '  Left for the end, not done: ALTER TABLE "shop_child" ADD CONSTRAINT '
            '"shop_child_two_id_96d8df8f_fk_shop_thing_id" FOREIGN KEY ("two_id") '
            'REFERENCES "shop_thing" ("id") DEFERRABLE INITIALLY DEFERRED'
        ),
        (
            "  Left for the end, not done: "
            'CREATE INDEX "shop_child_one_id_a95566f0" ON "shop_child" ("one_id")'
        ),
    ]


def test_a_lost_connection_leaves_it_unknown(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """The server may have done the statement, or may do it still: nobody says it did not."""
    said = ended(make_app, "migrations.RunSQL('SELECT pg_terminate_backend(pg_backend_pid())')")
    assert said == [
        (
            "shop.0002_plain failed at operation 1 of 1 (Raw SQL operation): OperationalError: "
            "terminating connection due to administrator command; "
            "it has no transaction, and what became of it is unknown:"
        ),
        "  1. Raw SQL operation: begun",
        ("  Unknown, as the connection was lost: SELECT pg_terminate_backend(pg_backend_pid())"),
    ]


def test_what_is_there_already_can_be_a_remainder(
    postgres: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """A migrator that was killed leaves a part behind; the next one says what it has met."""
    said = ended(make_app, "migrations.RunSQL('CREATE TABLE shop_thing (id int)')")
    assert said[0] == (
        "shop.0002_plain failed at operation 1 of 1 (Raw SQL operation): ProgrammingError: "
        'relation "shop_thing" already exists; nothing of it was done now, '
        "but a run that was broken off can have left a part of it."
    )


class BoomError(Exception):
    """What a statement fails with."""


def executed(progress: Progress, sql: str, *, fails: bool = False) -> None:
    """Execute a statement as on MariaDB, where DDL commits."""

    def execute(*_: object) -> None:
        if fails:
            raise BoomError

    features = SimpleNamespace(can_rollback_ddl=False)
    context = {"connection": SimpleNamespace(features=features)}
    try:
        progress.execute(execute, sql, (), False, context)
    except BoomError:
        assert fails


@pytest.mark.parametrize(
    ("statements", "written", "broken"),
    [
        (["INSERT INTO a", "SAVEPOINT s", "UPDATE a", "RELEASE SAVEPOINT s"], False, ""),
        (["INSERT INTO a", "SELECT 1", "! UPDATE a"], False, ""),
        (["ALTER TABLE a", "! UPDATE a"], True, ""),
        (["INSERT INTO a", "! ALTER TABLE a"], True, "ALTER TABLE a"),
        (["! ALTER TABLE a"], False, "ALTER TABLE a"),
    ],
)
def test_mariadb_commits_before_ddl(statements: list[str], *, written: bool, broken: str) -> None:
    """Django begins a transaction for RunPython there; DDL ends it, also where that fails."""
    migration = Migration("0001", "shop")
    migration.operations = [RunPython(RunPython.noop)]
    progress = Progress(migration, backwards=False)
    progress.begin(0, in_transaction=True)
    for statement in statements:
        executed(progress, statement.removeprefix("! "), fails=statement.startswith("!"))
    assert (progress.written, progress.broken) == (written, broken)


def test_statements_are_counted_for_each_operation() -> None:
    """The one that is at work counts its own, and the last of them is known."""
    migration = Migration("0001", "shop")
    migration.operations = [RunSQL(""), RunSQL("")]
    progress = Progress(migration, backwards=False)
    for index, statements in enumerate([["CREATE TABLE a", "CREATE TABLE b"], ["DROP TABLE a"]]):
        progress.begin(index, in_transaction=False)
        for statement in statements:
            executed(progress, statement)
    assert (progress.statements, progress.last) == (1, "DROP TABLE a")


def test_a_closed_connection_is_lost() -> None:
    """MySQL's backend fails where it is asked whether a closed connection is usable."""

    class Closed:
        connection = None

        def is_usable(self) -> bool:
            raise AttributeError

    closed: Any = Closed()
    assert standing._is_lost(closed)


@pytest.mark.parametrize(
    ("error", "said", "remains"),
    [
        (OperationalError(1050, "Table 'a' already exists"), "Table 'a' already exists", True),
        (
            IntegrityError(1062, "Duplicate entry 'ann' for key 'email'"),
            "Duplicate entry '...' for key 'email'",
            False,
        ),
        (
            DataError(1366, "Incorrect integer value: 'ann' for column `a`.`b` at row 1"),
            "Incorrect integer value: '...' for column `a`.`b` at row 1",
            False,
        ),
        (
            DataError(1292, "Truncated incorrect DOUBLE value: 'ann'"),
            "Truncated incorrect DOUBLE value: '...'",
            False,
        ),
        (
            DataError(1265, "Data truncated for column 'b' at row 1"),
            "Data truncated for column 'b' at row 1",
            False,
        ),
    ],
)
def test_what_mariadb_says(error: Exception, said: str, *, remains: bool) -> None:
    """Its words and its number, without a value of a row."""
    assert standing.first_line(error) == f"{said} ({error.args[0]})"
    assert standing.is_of_remains(error) is remains


@given(st.text())
def test_no_duplicate_is_shown(value: str) -> None:
    """Whatever a row holds, MariaDB's quotes and lines among it."""
    error = IntegrityError(1062, f"Duplicate entry '{value}' for key 'email'")
    assert standing.first_line(error) == "Duplicate entry '...' for key 'email' (1062)"


def test_postgresql_shows_no_value_either(postgres: BaseDatabaseWrapper) -> None:
    """Of a value that does not fit, the first line tells; of a table that is missing, its name."""
    with connection.cursor() as cursor:
        with pytest.raises(DataError) as value:
            cursor.execute("SELECT CAST('ann@example.com' AS integer)")
        with pytest.raises(ProgrammingError) as table:
            cursor.execute("SELECT FROM nowhere")
    said = 'invalid input syntax for type integer: "..."'
    assert standing.first_line(value.value) == said
    assert standing.first_line(table.value) == 'relation "nowhere" does not exist'
    assert standing.is_of_remains(table.value)
