"""What rehearsals of tests share: a shop, operations on it, and their effects."""

from dataclasses import replace

from django.db import connection, migrations, models
from django.db.migrations.operations.base import Operation

from django_runbook.schema.review.plan import Rehearsal
from django_runbook.schema.review.rehearsal.rehearsal import rehearse
from django_runbook.schema.scratch.stages import Stage

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
Effects = dict[tuple[int, str], tuple[str, bool, int, int]]
alter, add = migrations.AlterField, migrations.AddField
UNIQUE = alter("thing", "code", models.CharField(max_length=20, unique=True))


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
