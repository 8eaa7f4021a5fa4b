"""A squash whose proof fails is cut where it fails, and nowhere else."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader

from ops.schema.squashing import repairing, segments
from ops.schema.squashing.proofs import Check
from ops.schema.squashing.proving import Prover, Shops
from ops.schema.squashing.repairing import proved_plan
from ops.schema.squashing.types import Segment, SquashPlan
from ops.schema.squashing.writing import segment
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squashes import NAMES, plan, three
from tests.ops.schema.test_proof_defects import (
    FILL,
    FILL_CODE,
    INDEXED,
    NOTHING,
    PLAIN,
    stray,
    whole,
)

pytestmark = pytest.mark.slow

ADD = 'migrations.AddField("Thing", "{}", models.IntegerField(default=1)),'


def plain_plan(
    loader: MigrationLoader,
    app_label: str,
    first: str | None = None,
    last: str | None = None,
    *,
    elide: Collection[str] = (),
    cuts: Collection[str] = (),
) -> SquashPlan:
    """Squash everything between two cuts, as one who knows no rule would."""
    chain = MigrationLoader(None).graph.forwards_plan((app_label, LAST[0]))
    names = [name for app, name in chain if app == app_label]
    names = names[names.index(first or names[0]) : names.index(last or names[-1]) + 1]
    parts: list[list[str]] = []
    for name in names:
        if not parts or name in cuts:
            parts.append([])
        parts[-1].append(name)
    disk = loader.disk_migrations or {}
    made: list[Segment] = []
    for part in parts:
        if len(part) > 1:
            renamed = {old: one.name for one in made for old in one.names}
            own = [disk[app_label, name] for name in part]
            made.append(segment(loader, app_label, own, elide=elide, renamed=renamed))
    kept = tuple(part[0] for part in parts if len(part) == 1)
    return SquashPlan(app_label=app_label, segments=tuple(made), kept=kept)


LAST = ["0005_more"]


@pytest.fixture
def repaired(scratch_server: None, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what proves a squash by one who knows no rule, on one engine."""
    monkeypatch.setattr(segments, "plan", plain_plan)

    def run(vendor: str = "sqlite") -> repairing.Repaired:
        loader = MigrationLoader(None)
        LAST[0] = max(name for app, name in loader.disk_migrations if app == "shop")
        return proved_plan(loader, "shop", alias="default", vendors=[vendor], repeats=0)

    return run


def names(found: repairing.Repaired) -> list[str]:
    """Return the files that there will be, in the order of their names."""
    return sorted([*(each.name for each in found.plan.segments), *found.plan.kept])


@pytest.mark.slow
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
        'sqlite: the old migrations cannot be applied: near "WRONG": syntax error',
    )


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


@pytest.mark.slow
def test_the_kits_own_plan_needs_no_repair(scratch_server: None, make_app: MakeApp) -> None:
    """The rules of the plan cut the stray index by themselves: its proof holds at once."""
    stray(make_app)
    loader = MigrationLoader(None)
    assert repairing.segments is segments
    found = proved_plan(loader, "shop", alias="default", vendors=["postgresql"], repeats=0)
    assert (found.cuts, found.proof.defects) == ((), ())


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
