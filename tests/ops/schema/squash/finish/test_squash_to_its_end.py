"""A squash from its beginning to its end, for real, on both engines."""

from pathlib import Path
from typing import Any

import pytest

from django_runbook.schema.history.graph import loaded
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.finish.finishing import THING, forget, git


@pytest.mark.slow
def test_from_the_squash_to_its_end(
    squash: Any, make_app: MakeApp, tmp_path: Path, declare: Any, scratch_server: None
) -> None:
    """Squashed, proved, verified, finished, and verified again: all for real, on both engines."""
    make_app(
        "one",
        m0001_initial=f"[{THING}]",
        m0002_more="""[
            migrations.AddField("Thing", "name", models.CharField(max_length=9, default="")),
        ]""",
        m0003_longer="""[
            migrations.AlterField("Thing", "name", models.CharField(max_length=99, default="")),
        ]""",
    )
    (tmp_path / ".gitignore").write_text("__pycache__/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "all")
    code, out, err = squash("one", "--to", "0003")
    assert code == 0, (out, err)
    assert out.startswith("one: 3 migrations can become 1 file.\n")
    assert "Proved: one, 3 files -> 1, 3 operations -> 1.\n" in out
    written = set(git(tmp_path, "ls-files", "--others", "--exclude-standard").split())
    assert len(written) == 2, written
    assert squash("one", "--verify")[0] == 0
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "squashed")
    declare()
    forget("one")
    assert squash("one", "--finish", "--no-environments")[0] == 0
    forget("one")
    assert {key[1] for key in loaded().graph.nodes if key[0] == "one"} == {
        Path(name).stem for name in written if name.endswith(".py")
    }
    code, out, err = squash("one", "--verify")
    assert code == 0, (out, err)
