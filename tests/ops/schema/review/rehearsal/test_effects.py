"""A rehearsal measures locks, rewrites, rows read and rows changed, operation by operation."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models

from django_runbook.schema.review.rehearsal.rehearsal import rehearse
from django_runbook.schema.scratch.databases import Workshop
from django_runbook.schema.scratch.stages import Stage, Stages
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.review.rehearsal.rehearsing import (
    ALL,
    EXCLUSIVE,
    KIND,
    LOCKED,
    READ,
    ROWS,
    THING,
    UNIQUE,
    add,
    alter,
    contents,
    effects,
    rehearsed,
)

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


@pytest.mark.slow
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
