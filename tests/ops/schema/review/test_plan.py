"""Plans of pending migrations: SQL, risks, and what the time went on."""

import datetime
import itertools

import django
import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.database.sizes import Sizes, TableSize
from django_runbook.schema.review import reviewer
from django_runbook.schema.review.plan import Severity
from django_runbook.schema.review.planner import plan
from django_runbook.schema.review.reviewer import NOT_OURS, Look
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.review.planning import (
    DROP,
    FAST,
    ITEM,
    TARGET_IS_SQLITE,
    names,
    record,
    target_fixture,
)

__all__ = ["target_fixture"]

#: Django 6.1 leaves it out.
CASCADE = "" if django.VERSION >= (6, 1) else " CASCADE"


@pytest.mark.slow
def test_what_the_target_lacks(target: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Its SQL, risks, rehearsal and the time's shares, on PostgreSQL; the target is only read."""
    make_app("shop", m0001_initial=ITEM, m0002_less=DROP.format(""))
    record(("shop", "0002_less"))
    made = plan(look=FAST, clock=map(float, itertools.count()).__next__)
    assert (made.vendor, made.notes, names(made)) == (
        "postgresql",
        (TARGET_IS_SQLITE,),
        ["shop.0002_less"],
    )
    [migration] = made.migrations
    assert [it.statements for it in migration.operations] == [
        (f'ALTER TABLE "shop_item" DROP COLUMN "code"{CASCADE};',)
    ]
    assert [(it.rule, it.severity, it.source, it.operation) for it in made.failing] == [
        ("drop-column", Severity.DANGER, "rules, squawk", 0)
    ]
    assert migration.rehearsal
    [effect] = migration.rehearsal.effects
    assert (effect.table, effect.rows, effect.lock) == ("shop_item", 20, "AccessExclusiveLock")
    assert made.seconds == {
        "reading": 1.0,
        "server": 2.0,
        "parents": 1.0,
        "SQL": 1.0,
        "rules": 1.0,
        "squawk": 1.0,
        "rehearsal": 1.0,
    }
    assert target.introspection.table_names() == ["django_migrations"]


GROW = """[
    migrations.AddField("item", "size", models.IntegerField(db_index=True)),
    migrations.RunSQL("ALTER TABLE shop_item ALTER code TYPE bigint", ""),
]"""


@pytest.mark.slow
def test_tables_that_the_plan_makes_are_no_risk(
    target: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """What is dangerous for a table in use is a note where the plan itself makes the table."""
    make_app("shop", m0001_initial=ITEM, m0002_grow=GROW)
    record(("shop", "0001_initial"), ("shop", "0002_grow"))
    made = plan(look=FAST)
    risks = made.migrations[1].risks
    assert [risk.rule for risk in risks if risk.severity > Severity.NOTE] == []
    assert {risk.showed for risk in risks} == {"the plan makes the table, and nobody uses it yet"}
    MigrationRecorder(target).record_applied("shop", "0001_initial")
    later = plan(look=FAST).migrations[0].risks
    assert {"add-not-null", "add-index", "change-type"} <= {
        risk.rule for risk in later if risk.severity is Severity.DANGER
    }


@pytest.mark.slow
def test_two_runs_are_the_same(target: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """What is random in a migration makes no difference between two plans."""
    make_app(
        "shop",
        m0001_initial=ITEM,
        m0002_token="""
            import uuid

            class Migration(migrations.Migration):
                dependencies = [("shop", "0001_initial")]
                operations = [
                    migrations.AddField("item", "token", models.UUIDField(default=uuid.uuid4)),
                ]""",
    )
    keys = [("shop", "0002_token")]
    for engine in ("postgresql", "sqlite"):
        first, second = (plan(keys=keys, engine=engine, look=Look(rows=0)) for _ in range(2))
        assert first.migrations == second.migrations
        assert "<varies>" in str(first.migrations)


def test_accepted_danger_passes(target: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """The reason beside the operation lets the plan pass."""
    comment = "# accepts drop-column: nobody reads it"
    make_app("shop", m0001_initial=ITEM, m0002_less=DROP.format(comment))
    made = plan(keys=[("shop", "0002_less")], look=FAST)
    assert made.failing == ()
    assert [risk.accepted for risk in made.migrations[0].risks if risk.rule == "drop-column"] == [
        "nobody reads it"
    ]


def test_installed_packages_only_warn(
    target: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not this repository's to change is shown, and fails nothing."""
    monkeypatch.setattr(reviewer, "is_installed", lambda _file: True)
    make_app("shop", m0001_initial=ITEM, m0002_less=DROP.format(""))
    made = plan(keys=[("shop", "0002_less")], look=FAST)
    assert made.failing == ()
    drop = next(it for it in made.migrations[0].risks if it.rule == "drop-column")
    assert (drop.severity, drop.rewrite) == (Severity.WARNING, NOT_OURS)


@pytest.mark.slow
def test_what_it_means_at_size(target: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """The rehearsal confirms a rewrite, and the snapshot says how much that is in production."""
    make_app(
        "shop",
        m0001_initial=ITEM,
        m0002_big="""[migrations.AlterField("item", "code", models.BigIntegerField())]""",
    )
    item = TableSize(rows=400_000_000, table_bytes=41 * 1024**3, index_bytes=0)
    now = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    sizes = Sizes(taken_at=now, vendor="postgresql", version="18", tables={"shop_item": item})
    made = plan(keys=[("shop", "0002_big")], look=Look(rows=20, sizes=sizes))
    [risk] = made.failing
    assert (risk.rule, risk.at_size) == (
        "change-type",
        "rewrites 41 GB (400,000,000 rows) under ACCESS EXCLUSIVE",
    )
    assert risk.showed.startswith("rehearsed: rewrites shop_item")


@pytest.mark.slow
def test_failure_is_told_once(target: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """Where a rule has foreseen it, neither the empty database nor the rehearsal repeats it."""
    make_app(
        "shop",
        m0001_initial=ITEM,
        m0002_index="""
            from django.contrib.postgres.operations import AddIndexConcurrently

            class Migration(migrations.Migration):
                dependencies = [("shop", "0001_initial")]
                operations = [
                    AddIndexConcurrently("item", models.Index(fields=["code"], name="by_code")),
                ]""",
    )
    made = plan(keys=[("shop", "0002_index")], look=FAST)
    assert [risk.rule for risk in made.failing] == ["concurrently-in-transaction"]


def test_statement_without_its_values_is_not_linted(
    target: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """What Python executes with parameters is no SQL that squawk could read."""
    make_app(
        "shop",
        m0001_initial=ITEM,
        m0002_fill="""
            def fill(apps, schema_editor):
                schema_editor.execute("UPDATE shop_item SET code = %s WHERE id = %s", [1, 2])

            class Migration(migrations.Migration):
                dependencies = [("shop", "0001_initial")]
                operations = [migrations.RunPython(fill, migrations.RunPython.noop)]""",
    )
    [migration] = plan(keys=[("shop", "0002_fill")], look=FAST).migrations
    assert migration.operations[0].statements[1:] == (
        "UPDATE shop_item SET code = %s WHERE id = %s;",
    )
    assert [risk for risk in migration.risks if "squawk" in risk.source] == []
