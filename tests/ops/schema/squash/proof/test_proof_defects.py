"""Each way in which a squash goes wrong is seen, by the check that is for it."""

from pathlib import Path

import pytest

from django_runbook.schema.squash.proof.prover import prove
from django_runbook.schema.squash.proof.results import Check, Proof
from django_runbook.schema.squash.squash_plan import Segment
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.squashes import plan, segment

pytestmark = pytest.mark.slow

KEY = '("id", models.BigAutoField(primary_key=True))'
INDEXED = f"""migrations.CreateModel(
    "Thing", [{KEY}, ("code", models.CharField(max_length=20, db_index=True))]
),"""
PLAIN = f"""migrations.CreateModel(
    "Thing", [{KEY}, ("code", models.CharField(max_length=20))]
),"""
NO_INDEX = 'migrations.AlterField("Thing", "code", models.CharField(max_length=20)),'
NOTHING = "migrations.RunPython(migrations.RunPython.noop),"
FILL = """migrations.RunPython(fill),"""
FILL_CODE = """
def fill(apps, schema_editor):
    Thing = apps.get_model("shop", "Thing")
    Thing.objects.using(schema_editor.connection.alias).create(code="first")

"""
UPDATE_CODE = """
def fill(apps, schema_editor):
    Thing = apps.get_model("shop", "Thing")
    Thing.objects.using(schema_editor.connection.alias).update(code="changed")

"""


def whole(operations: str, code: str = "", before: str = "") -> str:
    """Return the text of a migration with code of its own."""
    dependencies = [("shop", before)] if before else []
    return (
        f"{code}class Migration(migrations.Migration):\n"
        f"    initial = {not before}\n"
        f"    dependencies = {dependencies!r}\n"
        f"    operations = [{operations}]\n"
    )


def shown(*segments: Segment, vendor: str = "sqlite", kept: tuple[str, ...] = ()) -> Proof:
    """Return what every segment by itself shows on one engine."""
    return prove(plan(*segments, kept=kept), alias="default", vendors=[vendor], repeats=0)


def said(proof: Proof) -> list[str]:
    """Return the defects, a line each."""
    return [
        " | ".join(part for part in (each.check, each.what, each.place, each.at) if part)
        for each in proof.defects
    ]


def stray(make_app: MakeApp) -> tuple[Path, Segment]:
    """Install the app whose plain squash leaves an index behind, and return that squash."""
    folder = make_app(
        "shop",
        m0001_initial=f"[{INDEXED}]",
        m0002_fill=f"[{NOTHING}]",
        m0003_code=f"[{NO_INDEX}]",
    )
    names = "0001_initial 0002_fill 0003_code"
    return folder, segment(
        folder, names, f"{INDEXED}\n{NOTHING}\n{NO_INDEX}", more="initial = True"
    )


def test_a_stray_index_is_seen_on_postgresql_alone(scratch_server: None, make_app: MakeApp) -> None:
    """CreateModel with an index, RunPython and AlterField in one file leave the index behind.

    The states, the autodetector and SQLite find nothing: Django looks for an index whose CREATE it
    has put off.
    """
    squash = stray(make_app)[1]
    assert said(shown(squash)) == []
    found = said(shown(squash, vendor="postgresql"))
    where = "operation 3, Alter field code on Thing | on an empty database"
    index = "schema | index shop_thing.shop_thing_code_84095b2b"
    assert found == [
        f"{index} is too much: USING btree (code) | {where}",
        f"{index}_like is too much: USING btree (code varchar_pattern_ops) | {where}",
    ]


@pytest.mark.parametrize("vendor", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_right_squash_has_no_defects(
    scratch_server: None, make_app: MakeApp, vendor: str
) -> None:
    """The same app with the index left out from the start is equal, from every state.

    Of four states one is run for real: the one from which the squash is run, and one in the middle,
    on made-up rows.
    """
    folder, _ = stray(make_app)
    names = "0001_initial 0002_fill 0003_code"
    right = segment(folder, names, f"{PLAIN}\n{NOTHING}", more="initial = True")
    proof = shown(right, vendor=vendor)
    assert said(proof) == []
    assert [(each.states, each.runs) for each in proof.engines] == [(4, 2)]
    assert proof.engines[0].seeded_rows == 20


def test_a_lost_operation_is_seen_by_state_autodetector_and_schema(
    scratch_server: None, make_app: MakeApp
) -> None:
    """A squash without the AlterField leaves the old length, and each check says so by itself."""
    folder = make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_longer='[migrations.AlterField("Thing", "code", models.CharField(max_length=90))]',
    )
    proof = shown(segment(folder, "0001_initial 0002_longer", PLAIN, more="initial = True"))
    assert {each.check for each in proof.defects} == {
        Check.STATE,
        Check.AUTODETECTOR,
        Check.SCHEMA,
    }
    assert said(proof)[-1] == (
        "schema | column shop_thing.code is another: varchar (90) not null before, "
        "varchar (20) not null squashed | operation 1, Create model Thing | on an empty database"
    )


def test_a_lost_data_migration_is_seen_by_the_rows(scratch_server: None, make_app: MakeApp) -> None:
    """A squash without the function that makes a row is equal in all but that row."""
    folder = make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_fill=whole(FILL, FILL_CODE, "0001_initial"),
    )
    proof = shown(segment(folder, "0001_initial 0002_fill", PLAIN, more="initial = True"))
    where = "operation 1, Create model Thing | on an empty database"
    assert said(proof) == [f"rows | rows of shop_thing: 1 lost, one with code=first | {where}"]


def test_a_lost_change_of_rows_is_seen_on_made_up_ones(
    scratch_server: None, make_app: MakeApp
) -> None:
    """An UPDATE that finds nothing on an empty table is missed on a seeded one."""
    folder = make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_fill=whole(FILL, UPDATE_CODE, "0001_initial"),
        m0003_nothing=f"[{NOTHING}]",
    )
    second = segment(
        folder, "0002_fill 0003_nothing", NOTHING, more='dependencies = [("shop", "0001_initial")]'
    )
    (defect,) = shown(second, kept=("0001_initial",)).defects
    assert (defect.check, defect.at) == (
        Check.SEEDED_ROWS,
        "after shop.0001_initial with made-up rows",
    )
    assert defect.what.startswith("rows of shop_thing: 20 lost and 20 too many, one with code=")


def test_a_squash_that_makes_again_what_is_there_is_seen_by_the_upgrade(
    scratch_server: None, make_app: MakeApp
) -> None:
    """A file that holds an operation of a migration that it does not replace fails in mid-chain."""
    folder = make_app(
        "shop",
        m0001_initial=f"[{PLAIN}]",
        m0002_fill=f"[{NOTHING}]",
        m0003_nothing=f"[{NOTHING}]",
    )
    wrong = segment(
        folder,
        "0002_fill 0003_nothing",
        f'migrations.RunSQL("CREATE TABLE shop_thing (id integer)"),\n{NOTHING}',
        more='dependencies = [("shop", "0001_initial")]',
    )
    for vendor, error in (
        ("sqlite", "OperationalError: table shop_thing already exists"),
        ("postgresql", 'ProgrammingError: relation "shop_thing" already exists'),
    ):
        proof = shown(wrong, kept=("0001_initial",), vendor=vendor)
        where = "shop.0002_squashed_0003, operation 1 (Raw SQL operation)"
        assert said(proof) == [f"upgrade | {where}: {error} | after shop.0001_initial"]
