"""A migration that fails in mid-plan: what is said, and that it is true."""

import pytest
from django.db import IntegrityError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from tests.ops.schema.apply.migrating import (
    MODEL,
    THING,
    applied,
    database_fixture,
    migrate,
    postgres_fixture,
    server_fixture,
    tables,
)
from tests.ops.schema.conftest import MakeApp

__all__ = ["database_fixture", "postgres_fixture", "server_fixture"]

RAISING = """
    def fill(apps, schema_editor):
        raise ValueError("no such price\\nDETAIL: Key (email)=(ann@example.com)")


    class Migration(migrations.Migration):
        atomic = {atomic}
        dependencies = [("shop", "0002_more")]
        operations = [
            migrations.CreateModel("Price", [("id", models.BigAutoField(primary_key=True))]),
            migrations.RunPython(fill, migrations.RunPython.noop),
            migrations.RunSQL("SELECT 1", "SELECT 1"),
        ]
"""
UNTIL = """\
3 migrations to apply on {name}, in this order:
  shop.0002_more
  shop.0003_price
  shop.0004_last
Operations to perform:
  Apply all migrations: shop
Running migrations:
  Applying shop.0002_more... OK
  Applying shop.0003_price...
"""


def failing(make_app: MakeApp, text: str) -> None:
    """Install four migrations, of which the first is applied and the third is ``text``."""
    make_app(
        "shop",
        m0001_initial=THING,
        m0002_more=f"[{MODEL.format('More')}]",
        m0003_price=text,
        m0004_last=f"[{MODEL.format('Last')}]",
    )
    assert migrate("shop", "0001").code == 0


def test_a_failure_says_where_the_database_stands(
    database: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """Applied, failed, rolled back, left, and both commands: without a row's values."""
    failing(make_app, RAISING.format(atomic=True))
    done = migrate("shop")
    assert done.code == 1
    assert done.out == UNTIL.format(name=connection.settings_dict["NAME"])
    assert done.err == (
        "shop.0003_price failed at operation 2 of 3 (Raw Python operation): ValueError: "
        "no such price (0003_price.py, line 6); it was rolled back.\n"
        "Applied before that: shop.0002_more.\n"
        "Not done: shop.0003_price, shop.0004_last.\n"
        "Mend it, then run 'inv db.migrate shop'. To go back: 'inv db.migrate shop 0001_initial'."
    )
    assert applied() == ["0001_initial", "0002_more"]
    assert tables() == ["shop_more", "shop_thing"]


def test_without_a_transaction_it_is_half_done(
    database: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """The operations that were completed are named, and stand in the database."""
    failing(make_app, RAISING.format(atomic=False))
    done = migrate("shop")
    assert done.code == 1
    assert done.err == (
        "shop.0003_price failed at operation 2 of 3 (Raw Python operation): ValueError: "
        "no such price (0003_price.py, line 6); it has no transaction, and is half done:\n"
        "  1. Create model Price: completed\n"
        "  2. Raw Python operation: begun\n"
        "Undo by hand what was completed; or complete the rest by hand and run "
        "'inv db.migrate shop 0003_price -- --fake'.\n"
        "Applied before that: shop.0002_more.\n"
        "Not done: shop.0003_price, shop.0004_last.\n"
        "Then run 'inv db.migrate shop'. To go back: 'inv db.migrate shop 0001_initial'."
    )
    assert tables() == ["shop_more", "shop_price", "shop_thing"]


def test_backwards_as_well(database: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Undoing that fails: what was undone, and the way back to where it was."""
    failing(
        make_app,
        """
        def undo(apps, schema_editor):
            raise LookupError("it is gone")


        class Migration(migrations.Migration):
            dependencies = [("shop", "0002_more")]
            operations = [
                migrations.RunPython(migrations.RunPython.noop, undo),
                migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop),
            ]
        """,
    )
    assert migrate("shop").code == 0
    done = migrate("shop", "zero")
    assert (done.code, done.err) == (
        1,
        (
            "shop.0003_price failed at operation 1 of 2 (Raw Python operation): LookupError: "
            "it is gone (0003_price.py, line 6); it was rolled back.\n"
            "Undone before that: shop.0004_last.\n"
            "Not done: shop.0003_price, shop.0002_more, shop.0001_initial.\n"
            "Mend it, then run 'inv db.migrate shop zero'. "
            "To go back: 'inv db.migrate shop 0004_last'."
        ),
    )
    assert tables() == ["shop_more", "shop_thing"]
    assert applied() == ["0001_initial", "0002_more", "0003_price"]


def test_no_way_back_is_offered_over_what_cannot_be_undone(
    database: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """Where a migration that was applied is irreversible, that is said."""
    make_app(
        "shop",
        m0001_initial=f'[{MODEL.format("Thing")}, migrations.RunSQL("SELECT 1")]',
        m0002_more='[migrations.RunSQL("SELECT nonsense")]',
    )
    done = migrate("shop")
    assert done.err.splitlines()[1:] == [
        "Applied before that: shop.0001_initial.",
        "Not done: shop.0002_more.",
        (
            "Mend it, then run 'inv db.migrate shop'. "
            "There is no way back: shop.0001_initial cannot be undone."
        ),
    ]
    done = migrate("shop", "zero")
    assert done.err.startswith(
        "shop.0001_initial failed before its first operation: IrreversibleError: Operation "
    )


def test_what_was_held_back_fails_within_the_transaction(
    database: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """A constraint that rows break at the end leaves nothing open, recorded or half done."""
    failing(
        make_app,
        """[
            migrations.RunSQL("INSERT INTO shop_more (id) VALUES (1)", "DELETE FROM shop_more"),
            migrations.CreateModel("Child", [
                ("id", models.BigAutoField(primary_key=True)),
                ("thing", models.ForeignKey("shop.Thing", models.CASCADE)),
            ]),
            migrations.RunSQL("INSERT INTO shop_child (id, thing_id) VALUES (1, 99)", ""),
        ]""",
    )
    done = migrate("shop")
    said = done.err.splitlines()[0]
    assert said.startswith("shop.0003_price failed after its last operation: IntegrityError: ")
    assert said.endswith("; it was rolled back.")
    assert not connection.in_atomic_block
    assert applied() == ["0001_initial", "0002_more"]
    assert tables() == ["shop_more", "shop_thing"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_more")
        assert cursor.fetchone() == (0,)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA foreign_keys")
            assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("way", ["record_applied", "record_unapplied"])
def test_a_migration_and_its_record_are_one_transaction(
    database: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Where the record cannot be written the migration is rolled back, also with indexes to come.

    Django itself records after the transaction where it holds statements back, and backwards.
    """
    make_app(
        "shop",
        m0001_initial=THING,
        m0002_index="""[
            migrations.AddField("thing", "parent", models.ForeignKey(
                "shop.Thing", models.CASCADE, null=True)),
        ]""",
    )
    assert migrate("shop", "0001" if way == "record_applied" else "0002").code == 0
    columns = shop_columns()

    def refuse(*_: object) -> None:
        raise IntegrityError("no room")

    monkeypatch.setattr(MigrationRecorder, way, refuse)
    done = migrate("shop", "0002" if way == "record_applied" else "0001")
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        (
            "shop.0002_index failed after its last operation: IntegrityError: no room; "
            "it was rolled back."
        ),
    )
    assert shop_columns() == columns


def shop_columns() -> list[str]:
    """Return the columns of the table of things."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, "shop_thing")
    return [column.name for column in found]


def test_half_undone_as_well(database: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Backwards the last operation comes first, and keeps its number."""
    failing(
        make_app,
        """
        def undo(apps, schema_editor):
            raise LookupError


        class Migration(migrations.Migration):
            atomic = False
            dependencies = [("shop", "0002_more")]
            operations = [
                migrations.RunSQL("SELECT 1", "SELECT 1"),
                migrations.RunPython(migrations.RunPython.noop, undo),
                migrations.RunSQL("SELECT 1", "DELETE FROM shop_more"),
            ]
        """,
    )
    assert migrate("shop", "0003").code == 0
    done = migrate("shop", "0002")
    assert (done.code, done.err.splitlines()) == (
        1,
        [
            (
                "shop.0003_price failed at operation 2 of 3 (Raw Python operation): LookupError "
                "(0003_price.py, line 6); it has no transaction, and is half done:"
            ),
            "  3. Raw SQL operation: completed",
            "  2. Raw Python operation: begun",
            "Do again by hand what was undone; or undo the rest and record it (--fake).",
            "Undone before that: nothing.",
            "Not done: shop.0003_price.",
            "Then run 'inv db.migrate shop 0002'.",
        ],
    )
