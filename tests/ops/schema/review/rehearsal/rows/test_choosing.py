"""Only tables that matter to a migration get rows, and what is left out is said."""

from collections.abc import Callable

import pytest

from django_runbook.schema.review.rehearsal.rows import choosing
from django_runbook.schema.review.rehearsal.rows.catalog import tables
from django_runbook.schema.scratch.databases import Workshop
from django_runbook.schema.scratch.stages import Stages
from tests.ops.schema.conftest import MakeApp


def test_only_tables_that_matter_are_chosen(
    postgresql: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> None:
    """What an operation names gets all rows, what stands around it some, the rest none."""
    make_app(
        "shop",
        m0001_initial="""[
            migrations.CreateModel("A", [("id", models.BigAutoField(primary_key=True))]),
            migrations.CreateModel("B", [("id", models.BigAutoField(primary_key=True)),
                ("a", models.ForeignKey("shop.A", models.CASCADE)),
                ("n", models.IntegerField())]),
            migrations.CreateModel("C", [("id", models.BigAutoField(primary_key=True)),
                ("b", models.ForeignKey("shop.B", models.CASCADE))]),
            migrations.CreateModel("D", [("id", models.BigAutoField(primary_key=True))]),
        ]""",
        m0002_index="""[
            migrations.AddIndex("b", models.Index(fields=["n"], name="b_n")),
            migrations.SeparateDatabaseAndState(
                [migrations.AlterField("b", "n", models.BigIntegerField())],
                [migrations.RunSQL("SELECT 1")]),
        ]""",
        m0003_code="""[migrations.RunPython(migrations.RunPython.noop)]""",
    )
    chosen = {}
    stages = stages_on(postgresql)
    for name in ("0002_index", "0003_code"):
        with stages.before(("shop", name)) as stage:
            apps = stage.state.apps
            found = tables(stage.connection, apps)
            chosen[name] = choosing.wanted(stage.migration, apps, found, 2000)
    around = choosing.AROUND
    assert chosen["0002_index"] == ({"shop_a": around, "shop_b": 2000, "shop_c": around}, ())
    assert chosen["0003_code"] == ({f"shop_{name}": 2000 for name in "abcd"}, ())


def test_too_many_tables_are_a_gap(
    postgresql: Workshop,
    make_app: MakeApp,
    stages_on: Callable[[Workshop], Stages],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of more tables than can be filled the app's own come first, and what is left out is said."""
    model = 'migrations.CreateModel("{}", [("id", models.BigAutoField(primary_key=True))]),'
    make_app("other", m0001_initial="[" + model.format("Z") + "]")
    make_app(
        "shop",
        m0001_initial="""
        class Migration(migrations.Migration):
            dependencies = [("other", "0001_initial")]
            operations = [MODELS]
        """.replace("MODELS", "".join(model.format(name) for name in "ABC")),
        m0002_code="""[migrations.RunSQL("SELECT 1")]""",
    )
    monkeypatch.setattr(choosing, "MOST", 3)
    monkeypatch.setattr(choosing, "ALL", 900)
    with stages_on(postgresql).before(("shop", "0002_code")) as stage:
        apps = stage.state.apps
        chosen = choosing.wanted(stage.migration, apps, tables(stage.connection, apps), 2000)
    assert chosen == (
        {"shop_a": 300, "shop_b": 300, "shop_c": 300},
        ("1 of 4 tables have no rows: too many to fill.",),
    )
