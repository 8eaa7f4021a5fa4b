"""A squash whose proof fails is cut where it fails, and nowhere else."""

from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.squash import cuts
from django_runbook.schema.squash.cuts import proved_plan
from django_runbook.schema.squash.plan import segments
from django_runbook.schema.squash.proof.prover import Prover, Shops
from django_runbook.schema.squash.proof.results import Check
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.proof.repairing import names, repaired_fixture
from tests.ops.schema.squash.proof.test_proof_defects import (
    INDEXED,
    NOTHING,
    PLAIN,
    stray,
)
from tests.ops.schema.squash.squashes import NAMES, plan, three

__all__ = ["repaired_fixture"]

pytestmark = pytest.mark.slow

ADD = 'migrations.AddField("Thing", "{}", models.IntegerField(default=1)),'


def test_it_is_cut_once_where_an_index_would_be_left_behind(
    repaired: Any, make_app: MakeApp
) -> None:
    """The longest beginning that gives the same is one file, and what follows is another."""
    make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_fill=f"[{NOTHING}]",
        m0003_index="""[
            migrations.CreateModel(
                "Other", [("id", models.BigAutoField(primary_key=True)),
                ("code", models.CharField(max_length=20, db_index=True))]
            ),
        ]""",
        m0004_nothing=f"[{NOTHING}]",
        m0005_code='[migrations.AlterField("Other", "code", models.CharField(max_length=20))]',
        m0006_more=f"[{ADD.format('more')}]",
    )
    found = repaired("postgresql")
    assert names(found) == [
        "0001_initial_squashed_0004_nothing",
        "0005_code_squashed_0006_more",
    ]
    assert found.cuts == ("0005_code",)
    assert found.proof.defects == ()
    assert {each.check for each in found.caused} == {Check.SCHEMA}


def test_what_holds_is_not_cut(repaired: Any, make_app: MakeApp) -> None:
    """On SQLite the same kind of squash is equal, and stays one file."""
    stray(make_app)
    found = repaired("sqlite")
    assert names(found) == ["0001_initial_squashed_0003_code"]
    assert (found.cuts, found.caused) == ((), ())


def test_old_files_that_fail_are_tried_once(scratch_server: None, make_app: MakeApp) -> None:
    """However often a proof is asked for: they fail the next time, too."""
    folder, squash = three(make_app)
    last = folder / f"{NAMES[2]}.py"
    text = last.read_text()
    last.write_text(text.replace("operations = [", 'operations = [migrations.RunSQL("WRONG"),'))
    told: list[str] = []

    def progress(vendor: str, what: str, _done: int, _total: int) -> None:
        told.append(f"{vendor}: {what}")

    with Shops("default") as shops:
        prover = Prover(plan(squash), "default", ["sqlite"], progress, shops)
        assert prover.prove(0) == prover.prove(1)
    assert told == ["sqlite: upgrades"]


def test_the_kits_own_plan_needs_no_repair(scratch_server: None, make_app: MakeApp) -> None:
    """The rules of the plan cut the stray index by themselves: its proof holds at once."""
    stray(make_app)
    loader = MigrationLoader(None)
    assert cuts.segments is segments
    found = proved_plan(loader, "shop", alias="default", vendors=["postgresql"], repeats=0)
    assert (found.cuts, found.proof.defects) == ((), ())


def test_an_index_on_a_column_that_is_no_more_is_cut_off(repaired: Any, make_app: MakeApp) -> None:
    """The CREATE INDEX that was put off names the old column, and SQLite takes it for a string."""
    make_app(
        "shop",
        m0001_initial=f"[{INDEXED}]",
        m0002_noop=f"[{NOTHING}]",
        m0003_label='[migrations.RenameField("Thing", "code", "label")]',
    )
    found = repaired()
    assert found.cuts == ("0003_label",)
    (defect,) = found.caused
    assert defect.what == (
        "index shop_thing.shop_thing_code_84095b2b is another: "
        "on shop_thing (label) before, on shop_thing (code) squashed"
    )


def test_two_segments_that_fail_are_cut_in_one_round(repaired: Any, make_app: MakeApp) -> None:
    """Each is cut up by itself, and what holds behind a cut is not cut again."""
    index = '[migrations.AlterField("{}", "code", models.CharField(max_length=20))]'
    indexed = INDEXED.replace('"Thing"', '"Other"')
    make_app(
        "shop",
        m0001_initial=f"[{INDEXED}]",
        m0002_nothing=f"[{NOTHING}]",
        m0003_plain=index.format("Thing"),
        m0004_nothing=f"[{NOTHING}]",
        m0005_other=f"[{indexed}]",
        m0006_nothing=f"[{NOTHING}]",
        m0007_plain=index.format("Other"),
        m0008_nothing=f"[{NOTHING}]",
    )
    found = repaired("postgresql", cuts=["0005_other"])
    assert found.cuts == ("0003_plain", "0007_plain")
    assert len(names(found)) == 4
    assert found.proof.defects == ()
