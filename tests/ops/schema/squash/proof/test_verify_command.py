"""`manage.py squash --verify`: which proofs hold, which do not and why, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from django_runbook.schema.management.commands import squash as command
from django_runbook.schema.squash.proof.verification import Verification
from tests.ops.schema.conftest import MakeApp


@pytest.fixture
def verifies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Return what makes the proofs of the repository come out as given."""

    def prepare(*found: Verification) -> None:
        by_file = {one.file: one for one in found}
        monkeypatch.setattr(command, "proof_files", lambda _label: tuple(by_file))
        monkeypatch.setattr(command, "verify", lambda file, **_: by_file[file])

    return prepare


GOOD = Verification(file=Path("/a.json"), engines=("sqlite", "postgresql"))
BAD = Verification(
    file=Path("/b.json"),
    failures=("users.0001_squashed was changed since it was proved.",),
    notes=("postgresql was not asked: there is none.",),
)


def test_proofs_that_hold(squash: Any, verifies: Any) -> None:
    """Each is named with the engines that were asked."""
    verifies(GOOD)
    assert squash("--verify") == (
        0,
        "/a.json: holds (sqlite, postgresql)\n1 proof(s) hold.\n",
        "",
    )


def test_proof_that_does_not_hold(squash: Any, verifies: Any) -> None:
    """The reasons, what is to be known, and exit code 1."""
    verifies(GOOD, BAD)
    said = (
        "/a.json: holds (sqlite, postgresql)\n"
        "/b.json: does NOT hold\n"
        "  users.0001_squashed was changed since it was proved.\n"
        "  Note: postgresql was not asked: there is none.\n"
    )
    assert squash("--verify") == (1, said, "1 of 2 proof(s) do not hold.\n")
    code, out, _ = squash("--verify", "--json")
    assert (code, [one["file"] for one in json.loads(out)]) == (1, ["/a.json", "/b.json"])


def test_file_that_is_no_proof(squash: Any, make_app: MakeApp) -> None:
    """It is named in one line."""
    folder = make_app("one", m0001_initial="[]") / "proofs"
    folder.mkdir()
    (folder / "0001_squashed.json").write_text("{}")
    code, out, err = squash("one", "--verify")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert err.startswith(f"{folder / '0001_squashed.json'} is no proof of a squash")
