"""What a database meets once the old files are gone."""

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.scratch.databases import in_place, workshop
from django_runbook.schema.squash.proof.afterwards import Outcome, outcome
from django_runbook.schema.squash.proof.prover import prove
from django_runbook.schema.squash.squash_plan import Segment
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.proof.test_proof_files import failures, landed
from tests.ops.schema.squash.squashes import NAMES, plan, three

STATES = [(), NAMES[:1], NAMES[:2], NAMES, (*NAMES, "0001_squashed_0003")]


def outcomes(squash: Segment) -> list[Outcome]:
    """Return what becomes of a database in each state, with the files that there are."""

    def found(database: BaseDatabaseWrapper, names: tuple[str, ...]) -> Outcome:
        recorder = MigrationRecorder(database)
        recorder.ensure_schema()
        for name in names:
            recorder.record_applied("shop", name)
        return outcome(MigrationLoader(database), [squash], recorder.applied_migrations())

    seen = []
    with workshop("sqlite", "default") as shop:
        for names in STATES:
            with in_place(shop.create(), "default") as database:
                seen.append(found(database, names))
    return seen


@pytest.mark.parametrize(
    ("replaces", "expected"),
    [
        (False, ["WORK", "AGAIN", "AGAIN", "AGAIN", "NOTHING"]),
        (True, ["WORK", "SILENT", "SILENT", "NOTHING", "NOTHING"]),
    ],
    ids=["without replaces", "replaces is left in"],
)
def test_every_state_without_the_old_files(
    make_app: MakeApp, scratch_server: None, replaces: bool, expected: list[str]
) -> None:
    """A database that stopped in mid-chain makes tables again, or silently stays as it is.

    Silently where the squashed file still says what it replaces: Django leaves it out then.
    """
    folder, squash = three(make_app)
    for name in NAMES:
        (folder / f"{name}.py").unlink()
    lines = squash.text.splitlines(keepends=True)
    kept = [line for line in lines if replaces or not line.startswith("    replaces")]
    squash.file.write_text("".join(kept))
    found = outcomes(squash)
    assert [each.name for each in found] == expected
    assert [each.safe for each in found] == [each in {"WORK", "NOTHING"} for each in expected]


def test_a_proof_names_the_states_that_must_be_refused(
    make_app: MakeApp, scratch_server: None
) -> None:
    """With the old files every state goes on; without them only an empty and a recorded one do."""
    proof = prove(plan(three(make_app)[1]), alias="default", vendors=["sqlite"], repeats=0)
    assert proof.defects == ()
    assert proof.refused == ("shop.0001_initial", "shop.0002_more", "shop.0003_last")


def test_files_that_can_be_loaded_no_more_do_not_hold(
    make_app: MakeApp, scratch_server: None
) -> None:
    """A squash whose parent is gone is as it was proved, and builds nothing."""
    _folder, squash, file = landed(make_app)
    lines = '    dependencies = [("shop", "0000_gone")]\n    operations'
    squash.file.write_text(squash.text.replace("    operations", lines))
    (failure,) = failures(file)
    assert failure == (
        "sqlite: the files cannot be applied: shop.0001_squashed_0003, at its end: "
        "NodeNotFoundError: Migration shop.0001_squashed_0003 dependencies reference nonexistent "
        "parent node ('shop', '0000_gone')"
    )
