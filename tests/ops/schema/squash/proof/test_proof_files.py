"""The committed proof: what it holds, and when it is true of the files no more."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.errors import MigrationsError, NoServerError
from django_runbook.schema.scratch import databases
from django_runbook.schema.squash.proof import prover, verification
from django_runbook.schema.squash.proof.prover import prove
from django_runbook.schema.squash.proof.results import (
    Check,
    Defect,
    EngineProof,
    Proof,
    SquashedFile,
    digest_of,
    file_of,
    read,
    text_of,
)
from django_runbook.schema.squash.proof.verification import verify
from django_runbook.schema.squash.source.rewriting import renamed, without_replaces
from django_runbook.schema.squash.squash_plan import Segment
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.squashes import NAMES, plan, three

pytestmark = pytest.mark.slow

PROOF = Proof(
    app_label="shop",
    last="0003_last",
    files_proved=(SquashedFile(name="0001_squashed_0003", sha256="ab", replaces={"0001_a": "cd"}),),
    engines=(EngineProof(vendor="postgresql", version="18.0", origin="here", digests=("1", "1")),),
    defects=(Defect(check=Check.ROWS, what="rows of shop_thing: 1 lost", at="from zero"),),
    notes=("A note.",),
    refused=("shop.0001_a",),
    operations=(4, 2),
    files=(3, 1),
    versions={"Django": "5.2", "Python": "3.12"},
)
WITHOUT_SERVER = "There is no PostgreSQL for a scratch database: set RUNBOOK_SCRATCH_DATABASE_URL."


def written(folder: Path, text: str) -> Path:
    """Return a file with this text."""
    file = folder / "proof.json"
    file.write_text(text)
    return file


def test_a_proof_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every field comes back from the file, and the same proof gives the same text."""
    file = written(tmp_path, text_of(PROOF))
    assert read(file) == PROOF
    assert text_of(read(file)) == text_of(PROOF)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 1}', text_of(PROOF).replace('"what"', '"hwat"')],
    ids=["empty", "a list", "no format", "nothing else", "an unknown key"],
)
def test_a_file_that_is_no_proof_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """The message names the file, and what to do."""
    file = written(tmp_path, text)
    with pytest.raises(MigrationsError, match=f"^{re.escape(str(file))} is no proof of a squash"):
        read(file)


def test_a_proof_of_another_format_is_refused(tmp_path: Path) -> None:
    """A file of a later version is not taken for what it is not."""
    file = written(tmp_path, text_of(PROOF).replace('"format": 1', '"format": 2'))
    with pytest.raises(
        MigrationsError, match=r"has another format than 1: prove the squash anew\.$"
    ):
        read(file)


def test_a_proof_is_complete_with_postgresql_and_without_defects() -> None:
    """SQLite alone is no proof; nor is what was never run from zero; nor is one with a defect."""
    right = replace(PROOF, defects=())
    engine = right.engines[0]
    assert right.complete
    assert not PROOF.complete
    assert not replace(right, engines=(replace(engine, vendor="sqlite"),)).complete
    assert not replace(right, engines=(replace(engine, digests=("", "")),)).complete


def test_the_hash_outlives_the_transition(make_app: MakeApp) -> None:
    """It is the same without ``replaces`` and with other dependencies, and tells all else apart."""
    text = three(make_app)[1].text.replace(
        "    operations", '    dependencies = [("shop", "0000_old")]\n    operations'
    )
    later = renamed(without_replaces(text) or "", {("shop", "0000_old"): ("shop", "0000_new")})[0]
    assert later != text
    assert digest_of(later) == digest_of(text) == digest_of(text.replace("\n", "\r\n"))
    assert digest_of(text.replace('"Two"', '"Too"')) != digest_of(text)
    assert digest_of(text.replace("initial = True", "atomic = False")) != digest_of(text)


def landed(make_app: MakeApp, repeats: int = 0) -> tuple[Path, Segment, Path]:
    """Install an app with its squash and the proof of that; return its folder and both.

    The proof says that PostgreSQL was asked, so that SQLite alone need be. Without ``repeats``
    nothing was run from zero, and the digests are made up.
    """
    folder, squash = three(make_app)
    proof = prove(plan(squash), alias="default", vendors=["sqlite"], repeats=repeats)
    engine = proof.engines[0]
    assert engine.digests[0] == engine.digests[1]
    if not repeats:
        engine = replace(engine, digests=("1", "1"))
    squash.file.write_text(squash.text)
    file = file_of(plan(squash))
    file.parent.mkdir()
    file.write_text(text_of(replace(proof, engines=(engine, replace(engine, vendor="postgresql")))))
    return folder, squash, file


def failures(file: Path) -> tuple[str, ...]:
    """Return what is wrong with a proof, on SQLite, as a new process sees it."""
    for name in [name for name in sys.modules if name.startswith("shop.migrations.")]:
        del sys.modules[name]
    return verify(file, alias="default", vendors=["sqlite"]).failures


def test_a_proof_holds_before_the_transition_and_after_it(
    make_app: MakeApp, scratch_server: None
) -> None:
    """The files are as they were proved; then the old ones go, and ``replaces`` with them."""
    folder, squash, file = landed(make_app, repeats=1)
    found = verify(file, alias="default", vendors=["sqlite"])
    assert (found.failures, found.notes, found.engines) == ((), (), ("sqlite",))
    assert {name for app, name in MigrationLoader(None).disk_migrations if app == "shop"} == {
        *NAMES,
        squash.name,
    }
    (folder / f"{NAMES[2]}.py").unlink()
    assert failures(file) == (
        f"0003_last is gone, and others that shop.{squash.name} replaces are there.",
    )
    for name in NAMES[:2]:
        (folder / f"{name}.py").unlink()
    assert failures(file) == (
        f"The files that shop.{squash.name} replaces are gone: let it say 'replaces' no more.",
    )


def test_a_finished_squash_is_built_anew(
    make_app: MakeApp, scratch_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the transition the schema is still compared; another Django is a note where it fits."""
    folder, squash, file = landed(make_app, repeats=1)
    for name in NAMES:
        (folder / f"{name}.py").unlink()
    squash.file.write_text(without_replaces(squash.text) or "")
    assert failures(file) == ()
    monkeypatch.setattr(verification.django, "get_version", lambda: "9.9")
    found = verify(file, alias="default", vendors=["sqlite"])
    assert found.holds
    assert [note.partition(", and was")[0] for note in found.notes] == ["Django is 9.9"]
    proof = read(file)
    wrong = tuple(replace(engine, digests=("1", "2")) for engine in proof.engines)
    file.write_text(text_of(replace(proof, engines=wrong)))
    (failure,) = failures(file)
    assert failure.startswith("sqlite: the files build another schema than the one proved. Django")
    assert failure.endswith("Prove the squash anew.")


def test_a_changed_file_is_named(make_app: MakeApp, scratch_server: None) -> None:
    """An old file and the squash that were edited since are each named; a lost squash as well."""
    folder, squash, file = landed(make_app)
    old = folder / f"{NAMES[0]}.py"
    old.write_text(old.read_text().replace("One", "Two"))
    squash.file.write_text(squash.text + "X = 1\n")
    assert failures(file) == (
        f"shop.{squash.name} was changed since it was proved.",
        f"shop.0001_initial, which shop.{squash.name} replaces, was changed since it was proved.",
    )
    old.write_text(old.read_text().replace("Two", "One"))
    squash.file.write_text(without_replaces(squash.text) or "")
    assert failures(file) == (
        f"shop.{squash.name} says 'replaces' no more, and what it replaced is there.",
    )
    squash.file.unlink()
    assert failures(file) == (f"shop.{squash.name} is not there, and was proved.",)


def test_an_incomplete_proof_never_holds(make_app: MakeApp, scratch_server: None) -> None:
    """A proof without PostgreSQL that was committed all the same is no proof."""
    file = landed(make_app)[2]
    file.write_text(text_of(replace(read(file), engines=read(file).engines[:1])))
    assert failures(file) == ("It is no complete proof: prove the squash anew, with PostgreSQL.",)


def no_server(vendor: str, alias: str) -> Any:
    """Stand in for ``workshop`` where there is no PostgreSQL."""
    if vendor == "postgresql":
        raise NoServerError(WITHOUT_SERVER)
    return databases.workshop(vendor, alias)


def test_without_postgresql_there_is_no_proof(
    make_app: MakeApp, scratch_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SQLite shows is given, and it is said that it is no proof; verifying says so too."""
    monkeypatch.setattr(prover, "workshop", no_server)
    proof = prove(plan(three(make_app)[1]), alias="default", repeats=1)
    assert (proof.holds, proof.complete) == (True, False)
    assert [engine.vendor for engine in proof.engines] == ["sqlite"]
    assert proof.notes == (f"{WITHOUT_SERVER} What sqlite shows is no proof.",)


def test_without_postgresql_a_proof_is_verified_on_sqlite(
    make_app: MakeApp, scratch_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is not there is a note, and no failure: the hashes were compared."""
    file = landed(make_app, repeats=1)[2]
    monkeypatch.setattr(verification, "workshop", no_server)
    found = verify(file, alias="default")
    assert found.failures == ()
    assert found.engines == ("sqlite",)
    assert found.notes == (f"postgresql was not asked: {WITHOUT_SERVER}",)


def test_old_files_that_fail_are_no_defect_of_the_squash(
    make_app: MakeApp, scratch_server: None
) -> None:
    """Where the old files themselves cannot be applied, there is nothing to compare with."""
    folder, squash = three(make_app)
    last = folder / f"{NAMES[2]}.py"
    last.write_text(
        last.read_text().replace("operations = [", 'operations = [migrations.RunSQL("WRONG"),')
    )
    proof = prove(plan(squash), alias="default", vendors=["sqlite"], repeats=1)
    assert proof.engines == ()
    assert proof.notes == (
        "PostgreSQL was not asked: this is no proof.",
        (
            "sqlite: the old migrations cannot be applied: shop.0003_last, operation 1 "
            '(Raw SQL operation): OperationalError: near "WRONG": syntax error'
        ),
    )
