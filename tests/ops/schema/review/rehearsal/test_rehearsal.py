"""Migrations applied to a copy with made-up rows: locks, rewrites, scans, changes, errors."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models
from django.db.migrations.operations.base import Operation

from django_runbook.schema.review.plan import Rehearsal
from django_runbook.schema.review.rehearsal.rehearsal import rehearse
from django_runbook.schema.review.rehearsal.rows.choosing import AROUND
from django_runbook.schema.scratch.databases import Workshop
from django_runbook.schema.scratch.stages import Stage, Stages
from tests.ops.schema.conftest import HEAD, MakeApp

ROWS = 200
EXCLUSIVE = "AccessExclusiveLock"
ALL = (EXCLUSIVE, True, ROWS, 0)
READ = (EXCLUSIVE, False, ROWS, 0)
LOCKED = (EXCLUSIVE, False, 0, 0)
KIND = """
    migrations.CreateModel("Kind{n}", [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=20)),
    ]),"""
THING = """
    migrations.CreateModel("Thing{n}", [
        ("id", models.BigAutoField(primary_key=True)),
        ("code", models.CharField(max_length=20)),
        ("label", models.CharField(max_length=20, db_index=True)),
        ("size", models.IntegerField(null=True)),
        ("cost", models.IntegerField()),
        ("kind", models.ForeignKey("shop.Kind{n}", models.CASCADE)),
        ("other", models.BigIntegerField(null=True)),
    ]),"""
FIRST = f"[{KIND}{THING}]".replace("{n}", "")
CODE = """
def change(apps, schema_editor):
    Thing = apps.get_model("shop", "Thing")
    {body}


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(change)]
    atomic = {atomic}
"""
Effects = dict[tuple[int, str], tuple[str, bool, int, int]]
alter, add = migrations.AlterField, migrations.AddField
UNIQUE = alter("thing", "code", models.CharField(max_length=20, unique=True))


@pytest.fixture
def stage(
    shop: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> Iterator[Stage]:
    """Yield the stage of a shop; see that its database stays as it was."""
    make_app("shop", m0001_initial=FIRST, m0002_second="[]")
    with stages_on(shop).before(("shop", "0002_second")) as made:
        yield made
        assert contents() == {"shop_kind": 0, "shop_thing": 0}


def contents() -> dict[str, int]:
    """Return how many rows each table has."""
    counts = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    return counts


def rehearsed(stage: Stage, *operations: Operation | str, atomic: bool = True) -> Rehearsal:
    """Rehearse operations, or SQL, as the stage's migration."""
    made = [migrations.RunSQL(one) if isinstance(one, str) else one for one in operations]
    names = {"__module__": "shop.migrations.0002_second", "operations": made, "atomic": atomic}
    migration = type("Migration", (migrations.Migration,), names)("0002_second", "shop")
    return rehearse(replace(stage, migration=migration), ROWS)


def code(make_app: MakeApp, body: str, *, atomic: bool = True) -> str:
    """Install a shop whose second migration runs a function; return that migration's file."""
    text = CODE.format(body=body, atomic=atomic)
    make_app("shop", m0001_initial=FIRST, m0002_second=text)
    return HEAD + text.strip()


def effects(made: Rehearsal) -> Effects:
    """Return the effects by operation and table."""
    assert len({(one.operation, one.table) for one in made.effects}) == len(made.effects)
    return {
        (one.operation, one.table.removeprefix("shop_")): (
            one.lock,
            one.rewritten,
            one.scanned,
            one.changed,
        )
        for one in made.effects
    }


#: Each on tables of its own: the operation's text, and what it does to them.
OPERATIONS: dict[str, tuple[str, dict[str, tuple[str, bool, int, int]]]] = {
    "varchar widened": (
        'migrations.AlterField("thing{n}", "code", models.CharField(max_length=40))',
        {"thing": LOCKED},
    ),
    "indexed varchar widened": (
        (
            'migrations.AlterField("thing{n}", "label", '
            "models.CharField(max_length=40, db_index=True))"
        ),
        {"thing": LOCKED},
    ),
    "varchar to text": (
        'migrations.AlterField("thing{n}", "code", models.TextField())',
        {"thing": LOCKED},
    ),
    "int to bigint": (
        'migrations.AlterField("thing{n}", "cost", models.BigIntegerField())',
        {"thing": ALL},
    ),
    "nullable column": (
        'migrations.AddField("thing{n}", "more", models.IntegerField(null=True))',
        {"thing": LOCKED},
    ),
    "column with a default": (
        'migrations.AddField("thing{n}", "more", models.IntegerField(default=3))',
        {"thing": LOCKED},
    ),
    "volatile default": (
        (
            'migrations.AddField("thing{n}", "more", models.FloatField('
            "db_default=models.functions.Random()))"
        ),
        {"thing": ALL},
    ),
    "index": (
        'migrations.AddIndex("thing{n}", models.Index(fields=["code"], name="thing_code"))',
        {"thing": ("ShareLock", False, ROWS, 0)},
    ),
    "foreign key, its index deferred": (
        (
            'migrations.AddField("thing{n}", "more", models.ForeignKey("shop.Kind{n}", '
            'models.CASCADE, null=True, related_name="+"))'
        ),
        {"thing": READ, "kind": ("ShareRowExclusiveLock", False, 0, 0)},
    ),
    "check": (
        (
            'migrations.AddConstraint("thing{n}", models.CheckConstraint('
            'condition=models.Q(cost__gte=0), name="thing_cost"))'
        ),
        {"thing": READ},
    ),
    "not null that is there": (
        'migrations.RunSQL("ALTER TABLE shop_thing{n} ALTER code SET NOT NULL")',
        {"thing": LOCKED},
    ),
    "not null": (
        (
            'migrations.RunSQL("ALTER TABLE shop_thing{n} ALTER cost DROP NOT NULL, '
            'ALTER cost SET NOT NULL")'
        ),
        {"thing": READ},
    ),
    "update of all": (
        'migrations.RunSQL("UPDATE shop_thing{n} SET size = 3")',
        {"thing": ("RowExclusiveLock", False, ROWS, ROWS)},
    ),
    "update of one": (
        (
            'migrations.RunSQL("SET enable_seqscan = off; UPDATE shop_thing{n} SET size = 3 '
            'WHERE id = 7; RESET enable_seqscan")'
        ),
        {"thing": ("RowExclusiveLock", False, 1, 1)},
    ),
    "lock": (
        'migrations.RunSQL("LOCK shop_kind{n} IN EXCLUSIVE MODE")',
        {"kind": ("ExclusiveLock", False, 0, 0)},
    ),
    "lock of an index": (
        'migrations.RunSQL("ALTER INDEX shop_thing{n}_pkey RENAME TO other")',
        {"thing": ("ShareUpdateExclusiveLock", False, 0, 0)},
    ),
    "read": (
        'migrations.RunSQL("SELECT count(*) FROM shop_kind{n}")',
        {"kind": ("AccessShareLock", False, ROWS, 0)},
    ),
    "drop": ('migrations.DeleteModel("Thing{n}")', {"thing": LOCKED, "kind": LOCKED}),
    "rename, with foreign keys checked anew": (
        'migrations.RenameModel("Kind{n}", "Sort{n}")',
        {"thing": READ, "kind": READ},
    ),
    "new table": (
        (
            'migrations.CreateModel("Alone", [("id", models.BigAutoField(primary_key=True)), '
            '("name", models.CharField(max_length=9, db_index=True, unique=True))])'
        ),
        {},
    ),
}


def test_effects_of_each_operation(
    postgresql: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> None:
    """Each operation's locks, rewrites, rows read and rows changed, as PostgreSQL counts them."""
    parts = [KIND + THING.replace("db_index=True", "db_index={n} in (1, 20)")] * len(OPERATIONS)
    first = "".join(part.replace("{n}", str(n)) for n, part in enumerate(parts))
    second = [text.replace("{n}", str(n)) for n, (text, _) in enumerate(OPERATIONS.values())]
    make_app("shop", m0001_initial=f"[{first}]", m0002_second=f"[{', '.join(second)}]")
    expected = {
        (n, f"{table}{n}"): effect
        for n, (_, tables) in enumerate(OPERATIONS.values())
        for table, effect in tables.items()
    }
    with stages_on(postgresql).before(("shop", "0002_second")) as stage:
        made = rehearse(stage, ROWS)
        assert set(contents().values()) == {0}
    assert (made.error, made.failed, made.gaps) == ("", None, ())
    assert effects(made) == expected
    assert {one.rows for one in made.effects} == {ROWS}


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_errors_that_only_rows_bring_out(stage: Stage) -> None:
    """Duplicates, NULLs and changed rows make an operation fail, which is named."""
    nothing: Any = "SELECT 1"
    operations: dict[str, Operation | str] = {
        "unique": UNIQUE,
        "not null": alter("thing", "size", models.IntegerField()),
        "triggers": migrations.RunSQL(
            ["UPDATE shop_thing SET kind_id = 1", "ALTER TABLE shop_thing ADD more int"]
        ),
        "commit": "UPDATE shop_thing SET kind_id = 0",
    }
    errors = {}
    for name, operation in operations.items():
        made = rehearsed(stage, nothing, operation)
        assert made.failed == 1
        errors[name] = re.sub(r'_[0-9a-f]{8}\w*"', '_…"', made.error)
    assert errors == {
        "unique": 'IntegrityError: could not create unique index "shop_thing_code_…"',
        "not null": 'IntegrityError: column "size" of relation "shop_thing" contains null values',
        "triggers": 'OperationalError: cannot ALTER TABLE "shop_thing" because it has pending '
        "trigger events",
        "commit": 'IntegrityError: insert or update on table "shop_thing" violates foreign key '
        'constraint "shop_thing_kind_id_…"',
    }


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_a_validated_check_spares_the_scan_for_not_null(stage: Stage) -> None:
    """NOT NULL reads no row where a validated CHECK has seen to it already."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE shop_thing ADD CHECK (size IS NOT NULL)")
    made = rehearsed(stage, "ALTER TABLE shop_thing ALTER size SET NOT NULL")
    assert (made.error, made.gaps) == ("", ())
    assert effects(made) == {(0, "thing"): LOCKED}
    assert made.effects[0].rows > ROWS / 2


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_harmless_rows_show_what_lies_beyond_a_failure(stage: Stage) -> None:
    """Where hostile rows stop a migration, the rest is measured; else it is said to be unknown."""
    bigger = alter("thing", "cost", models.BigIntegerField())
    made = rehearsed(stage, "UPDATE shop_thing SET size = 1 WHERE size IS NULL", UNIQUE, bigger)
    assert (made.failed, made.gaps) == (1, ())
    assert effects(made) == {
        (0, "thing"): ("RowExclusiveLock", False, ROWS, 66),
        (1, "thing"): READ,
        (2, "thing"): ALL,
    }
    made = rehearsed(stage, "SELECT nothing", bigger)
    assert (made.failed, made.error) == (0, 'ProgrammingError: column "nothing" does not exist')
    assert made.gaps == (
        "Nothing is known of the operations after 0: it fails on every kind of rows.",
    )


def test_a_failing_function_is_named_with_its_line(
    shop: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> None:
    """What RunPython raises is told in one line: the exception, the file and the line there."""
    body = "[len(thing.size.real) for thing in Thing.objects.filter(size=None)]"
    text = code(make_app, body)
    line = 1 + text.split("\n").index(f"    {body}")
    with stages_on(shop).before(("shop", "0002_second")) as stage:
        made = rehearse(stage, ROWS)
    assert made.failed == 0
    assert made.error == (
        f"AttributeError: 'NoneType' object has no attribute 'real' (0002_second.py, line {line}); "
        f"rows without NULL, duplicates and extremes pass"
    )


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_statements_outside_of_a_transaction_are_measured_one_by_one(stage: Stage) -> None:
    """A validation apart from the lock of its constraint reads all rows under a weak lock alone."""
    made = rehearsed(
        stage,
        migrations.RunSQL(
            [
                "ALTER TABLE shop_thing ADD CONSTRAINT c CHECK (cost >= 0) NOT VALID",
                "ALTER TABLE shop_thing VALIDATE CONSTRAINT c",
            ]
        ),
        AddIndexConcurrently("thing", models.Index(fields=["code"], name="i")),
        "UPDATE shop_thing SET size = 1 WHERE cost < 5",
        "VACUUM FULL shop_kind",
        atomic=False,
    )
    assert made.error == ""
    assert made.gaps == (
        "Operation 1 runs outside of a transaction: its lock is the manual's, not measured.",
        "Operation 3 runs outside of a transaction: its lock is the manual's, not measured.",
    )
    weak = "ShareUpdateExclusiveLock"
    assert [(e.operation, e.lock, e.rewritten, e.scanned, e.changed) for e in made.effects] == [
        (0, *LOCKED),
        (0, weak, False, ROWS, 0),
        (1, weak, False, 0, 0),
        (2, "RowExclusiveLock", False, ROWS, 12),
        (3, EXCLUSIVE, True, 0, 0),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_code_outside_of_a_transaction(stage: Stage) -> None:
    """A function without a transaction holds one row at a time; with one of its own, all."""

    def save(apps: Any, _editor: object) -> None:
        for thing in apps.get_model("shop", "Thing").objects.all():
            thing.save()

    apart = migrations.RunPython(save)
    together = migrations.RunPython(save, atomic=True)
    made = rehearsed(stage, apart, together, atomic=False)
    assert (made.error, made.gaps) == ("", ())
    assert [e.changed for e in made.effects if e.operation == 0] == [0] + [1] * ROWS
    assert [(e.table, e.changed) for e in made.effects if e.operation == 1] == [
        ("shop_thing", ROWS),
    ]


@pytest.mark.parametrize("shop", ["sqlite"], indirect=True)
def test_sqlite_shows_tables_that_are_built_anew_and_rows_changed(stage: Stage) -> None:
    """SQLite has no locks to show: what is left are new tables, changed rows and errors."""
    made = rehearsed(
        stage,
        alter("thing", "cost", models.BigIntegerField()),
        "UPDATE shop_thing SET size = 3 WHERE id <= 10",
        add("thing", "more", models.IntegerField(null=True)),
        UNIQUE,
    )
    assert effects(made) == {
        (0, "thing"): ("", True, 0, 0),
        (1, "thing"): ("", False, 0, 10),
        (3, "thing"): ("", True, 0, 0),
    }
    assert made.error == "IntegrityError: UNIQUE constraint failed: new__shop_thing.code"
    assert made.failed == 3


def test_what_a_migration_prints_is_not_seen(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output of a migration's code does not get into that of the plan."""
    made = rehearsed(stage, migrations.RunPython(lambda *_: print("loud")))
    assert made.error == ""
    assert "loud" not in capsys.readouterr().out


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_an_endless_statement_is_stopped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement has some seconds; then it is an error like others; no database is left."""
    monkeypatch.setattr("django_runbook.schema.review.rehearsal.rehearsal.TIMEOUT", 100)
    made = rehearsed(stage, "SELECT pg_sleep(60)")
    assert made.error == "OperationalError: canceling statement due to statement timeout"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s", [f"_{os.getpid()}_[0-9]+$"]
        )
        assert cursor.fetchall() == [(stage.connection.settings_dict["NAME"],)]


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_tables_without_rows_are_said(stage: Stage) -> None:
    """A table whose constraints refuse every row is a gap, and the rest is rehearsed."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE shop_kind ADD CHECK (name <> name)")
    made = rehearsed(stage, alter("thing", "cost", models.BigIntegerField()))
    assert made.gaps == (
        f"shop_kind: 0 of {AROUND} rows could be made up: its constraints refuse what is made up.",
        (
            f'shop_thing: 0 of {ROWS} rows could be made up: null value in column "kind_id" of '
            f'relation "shop_thing" violates not-null constraint.'
        ),
    )
    assert [(one.table, one.rows) for one in made.effects] == [("shop_thing", 0)]


def test_rows_that_cannot_be_made_up_stop_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where making rows up fails as a whole, that is a gap, and the migration is tried without."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no\nrows")

    monkeypatch.setattr("django_runbook.schema.review.rehearsal.rehearsal.fill", fail)
    made = rehearsed(stage, "UPDATE shop_thing SET size = 1")
    assert (made.error, sum(one.rows for one in made.effects)) == ("", 0)
    assert made.gaps == ("No rows could be made up: RuntimeError: no.",)
