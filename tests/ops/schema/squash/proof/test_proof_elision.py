"""Elidable data migrations are left out where that is shown to change nothing."""

from pathlib import Path
from typing import Any

import pytest

from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.proof.repairing import names, repaired_fixture
from tests.ops.schema.squash.proof.test_proof_defects import (
    FILL,
    FILL_CODE,
    NOTHING,
    PLAIN,
    UPDATE_CODE,
    whole,
)

__all__ = ["repaired_fixture"]

pytestmark = pytest.mark.slow


def elidable_app(make_app: MakeApp, *, useful: str) -> Path:
    """Install an app with two elidable data migrations; ``useful`` is in the first."""
    return make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_fill=whole("migrations.RunPython(fill, elidable=True),", useful, "0001_initial"),
        m0003_noop=f"[{NOTHING.replace('noop)', 'noop, elidable=True)')}]",
    )


def test_only_what_changes_nothing_is_left_out(repaired: Any, make_app: MakeApp) -> None:
    """An elidable function that makes a row stays; one that does nothing goes."""
    elidable_app(make_app, useful=FILL_CODE)
    found = repaired()
    assert found.kept_in == ("0002_fill: fill",)
    (made,) = found.plan.segments
    assert made.elided == ("0003_noop: noop",)
    assert found.proof.defects == ()


def test_all_is_left_out_at_once_where_nothing_changes(repaired: Any, make_app: MakeApp) -> None:
    """Two elidable functions that find no rows both go."""
    elidable_app(make_app, useful=FILL_CODE.replace(".create(", ".filter(").replace(FILL, ""))
    found = repaired()
    assert found.kept_in == ()
    assert found.plan.segments[0].elided == ("0002_fill: fill", "0003_noop: noop")


def test_nothing_is_left_out_where_nothing_can_be_tried(repaired: Any, make_app: MakeApp) -> None:
    """Old files that fail show no difference: that is no reason to leave anything out."""
    folder = elidable_app(make_app, useful=FILL_CODE)
    last = folder / "0003_noop.py"
    text = last.read_text()
    last.write_text(text.replace("operations = [", 'operations = [migrations.RunSQL("WRONG"),'))
    found = repaired()
    assert (found.kept_in, [each.elided for each in found.plan.segments]) == ((), [()])
    assert found.proof.notes[1:] == (
        (
            "sqlite: the old migrations cannot be applied: shop.0003_noop, operation 1 "
            '(Raw SQL operation): OperationalError: near "WRONG": syntax error'
        ),
    )


def test_what_would_change_the_order_of_columns_is_not_left_out(
    repaired: Any, make_app: MakeApp
) -> None:
    """Without the function, CreateModel takes in the change that moves the column on SQLite.

    That is no defect where there is no choice; here is one: what does nothing stays.
    """
    two = PLAIN.replace("max_length=20))]", 'max_length=20)), ("size", models.IntegerField())]')
    make_app(
        "shop",
        m0001_initial=f"[{two}]",
        m0002_noop=f"[{NOTHING.replace('noop)', 'noop, elidable=True)')}]",
        m0003_longer='[migrations.AlterField("Thing", "code", models.CharField(max_length=30))]',
    )
    found = repaired()
    assert found.kept_in == ("0002_noop: noop",)
    assert names(found) == ["0001_initial_squashed_0003_longer"]
    assert found.proof.engines[0].order == ()


RAISES = """
def refuse(apps, schema_editor):
    if apps.get_model("shop", "Thing").objects.exists():
        raise RuntimeError("old rows are left")

"""


def test_what_no_made_up_row_has_met_is_not_left_out(repaired: Any, make_app: MakeApp) -> None:
    """Without rows it does nothing; but a database before the segment may have some."""
    make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_refuse=whole("migrations.RunPython(refuse),", RAISES, "0001_initial"),
        m0003_fill=whole("migrations.RunPython(fill, elidable=True),", UPDATE_CODE, "0002_refuse"),
    )
    found = repaired(first="0002_refuse")
    assert names(found) == ["0002_refuse_squashed_0003_fill"]
    assert found.kept_in == ("0003_fill: fill",)
    (engine,) = found.proof.engines
    assert engine.untried == ("0002_refuse_squashed_0003_fill",)
    assert engine.gaps[-1].endswith(
        "shop.0002_refuse, operation 1 (Raw Python operation): RuntimeError: old rows are left"
    )


def test_what_a_table_without_rows_cannot_show_is_not_left_out(
    repaired: Any, make_app: MakeApp
) -> None:
    """A table that refuses what is made up may be the one whose rows it changes."""
    trigger = "CREATE TRIGGER none BEFORE INSERT ON shop_thing BEGIN SELECT RAISE(ABORT, 'no'); END"
    make_app(
        "shop",
        m0001_initial=f"[{PLAIN}\nmigrations.RunSQL({trigger!r})]",
        m0002_more=f"[{NOTHING}]",
        m0003_fill=whole("migrations.RunPython(fill, elidable=True),", UPDATE_CODE, "0002_more"),
    )
    found = repaired(first="0002_more")
    assert found.kept_in == ("0003_fill: fill",)
    (engine,) = found.proof.engines
    assert engine.untried == ("0002_more_squashed_0003_fill",)
    assert engine.gaps == ("shop_thing: 0 of 20 rows could be made up: no.",)


def test_each_segment_is_tried_without_what_it_can_do_without(
    repaired: Any, make_app: MakeApp
) -> None:
    """What must stay in one segment keeps nothing in another, nor in its own."""
    noop = NOTHING.replace("noop)", "noop, elidable=True)")
    make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_noop=f"[{noop}]",
        m0003_fill=whole("migrations.RunPython(fill, elidable=True),", FILL_CODE, "0002_noop"),
        m0004_noop=f"[{noop}]",
        m0005_noop=f"[{noop}]",
        m0006_noop=f"[{noop}]",
    )
    found = repaired(cuts=["0005_noop"])
    assert found.kept_in == ("0003_fill: fill",)
    assert [each.elided for each in found.plan.segments] == [
        ("0002_noop: noop", "0004_noop: noop"),
        ("0005_noop: noop", "0006_noop: noop"),
    ]
    assert found.proof.defects == ()
