"""Proofs lie beside the files that they prove: both are written, or none, and they are found."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_runbook.schema.squash.finish import proved_files
from django_runbook.schema.squash.proof.results import read
from django_runbook.schema.squash.squash_plan import SquashPlan
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.plan_and_proof import PLAN, PROOF


def test_proofs_are_found(squash: Any, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one app, or of all; an app that has none says so where it is named."""
    for label in ("one", "two"):
        folder = make_app(label, m0001_initial="[]") / "proofs"
        folder.mkdir()
        (folder / "0001_squashed.json").write_text("{}")
        (folder / "notes.txt").touch()
    assert [file.parts[-4] for file in proved_files.proof_files() if "apps" in file.parts] == [
        "one",
        "two",
    ]
    assert [file.parts[-4] for file in proved_files.proof_files("two")] == ["two"]
    monkeypatch.setattr(proved_files, "is_installed", lambda file: "two" in file.parts)
    for label in ("two", "messages"):
        assert squash(label, "--verify") == (
            3,
            "",
            f"{label} has no proof of a squash. 'inv db.squash {label}' makes one.\n",
        )


def test_proof_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without its proof no squash stays."""
    file = tmp_path / "0001_squashed_0003_profile.py"
    plan = replace(PLAN, segments=(replace(PLAN.segments[0], file=file),))

    def write(plan: SquashPlan) -> tuple[Path, ...]:
        file.write_text(plan.segments[0].text)
        return (file,)

    monkeypatch.setattr(proved_files.staging, "write", write)
    (tmp_path / "proofs").touch()
    with pytest.raises(OSError, match="proofs"):
        proved_files.land(plan, PROOF)
    assert [found.name for found in tmp_path.iterdir()] == ["proofs"]
    (tmp_path / "proofs").unlink()
    proof = tmp_path / "proofs/0001_squashed_0003_profile.json"
    assert proved_files.land(plan, PROOF) == (file, proof)
    assert read(proof) == PROOF
