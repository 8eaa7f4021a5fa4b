"""Squashed files beside the tree: loaded without being there, and written all or none."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.squash.plan.segments import plan
from django_runbook.schema.squash.squash_plan import SquashPlan
from django_runbook.schema.squash.write import staging
from tests.ops.schema.conftest import MakeApp

MODEL = '[migrations.CreateModel("{}", [("id", models.BigAutoField(primary_key=True))])]'
OTHER = """\
class Migration(migrations.Migration):
    dependencies = [("shop", "0002_b"), ("shop", "0001_a")]
    run_before = [("shop", "0003_c")]
    operations = []
"""


def planned(make_app: MakeApp) -> tuple[Path, SquashPlan]:
    """Install two apps, of which one stands between files of the other; return its plan."""
    folder = make_app(
        "shop",
        m0001_a=MODEL.format("A"),
        m0002_b=MODEL.format("B"),
        m0003_c=MODEL.format("C"),
        m0004_d=MODEL.format("D"),
    )
    make_app("other", m0001_initial=OTHER)
    return folder, plan(loaded(), "shop")


FIRST, SECOND = ("shop", "0001_a_squashed_0002_b"), ("shop", "0003_c_squashed_0004_d")


def test_a_loader_sees_files_that_are_not_there(make_app: MakeApp) -> None:
    """They replace the old ones in the graph; the folder stays as it is."""
    folder, found = planned(make_app)
    before = sorted(path.name for path in folder.iterdir() if path.suffix == ".py")
    graph = staging.loader(found.segments).graph
    assert graph.forwards_plan(SECOND) == [FIRST, ("other", "0001_initial"), SECOND]
    assert graph.nodes[FIRST].replaces == [("shop", "0001_a"), ("shop", "0002_b")]
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".py") == before
    assert {key for key in loaded().graph.nodes if key[0] == "shop"} == {
        ("shop", name) for name in ("0001_a", "0002_b", "0003_c", "0004_d")
    }


def test_alone_the_old_files_are_gone(make_app: MakeApp) -> None:
    """As after the transition: nothing is replaced, and others need the new files, each once."""
    _, found = planned(make_app)
    made = staging.loader(found.segments, alone=True)
    assert [key for key in made.disk_migrations if key[0] == "shop"] == [FIRST, SECOND]
    assert made.graph.nodes[FIRST].replaces == made.graph.nodes[SECOND].replaces == []
    other = made.graph.nodes["other", "0001_initial"]
    assert (other.dependencies, other.run_before) == ([FIRST], [SECOND])
    assert made.graph.forwards_plan(SECOND) == [FIRST, ("other", "0001_initial"), SECOND]


@pytest.mark.django_db
def test_the_record_of_a_database_counts(make_app: MakeApp) -> None:
    """Where a part of the old ones is applied, the file is not used, and children wait."""
    _, found = planned(make_app)
    MigrationRecorder(connection).record_applied("shop", "0001_a")
    graph = staging.loader(found.segments, connection=connection).graph
    assert graph.forwards_plan(SECOND) == [
        ("shop", "0001_a"),
        ("shop", "0002_b"),
        ("other", "0001_initial"),
        SECOND,
    ]


def test_a_text_that_is_no_migration(make_app: MakeApp) -> None:
    """What cannot be imported is told with its line; nothing of it stays."""
    _, found = planned(make_app)
    first = found.segments[0]
    for text, message in {
        "import\n": "0001_a_squashed_0002_b.py, line 1: the squashed file cannot be imported, "
        "SyntaxError: invalid syntax. Nothing was written.",
        "x = nothing\n": "0001_a_squashed_0002_b.py: the squashed file cannot be imported, "
        "NameError: name 'nothing' is not defined. Nothing was written.",
        "x = 1\n": "0001_a_squashed_0002_b.py: the squashed file cannot be imported, "
        "AttributeError: module 'shop.migrations.0001_a_squashed_0002_b' has no attribute "
        "'Migration'. Nothing was written.",
    }.items():
        with pytest.raises(MigrationsError) as caught:
            staging.staged(replace(first, text=text))
        assert str(caught.value) == message
        assert "shop.migrations.0001_a_squashed_0002_b" not in sys.modules


def test_files_are_written(make_app: MakeApp) -> None:
    """What is written is what was proved: Django loads it from the folder as it was staged."""
    folder, found = planned(make_app)
    assert staging.write(found) == tuple(one.file for one in found.segments)
    assert [one.file.read_text() for one in found.segments] == [one.text for one in found.segments]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert loaded().graph.forwards_plan(SECOND) == [FIRST, ("other", "0001_initial"), SECOND]


def test_all_or_none(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there, or a disk that fails in mid-way, leaves the folder as it was."""
    folder, found = planned(make_app)
    before = sorted(folder.iterdir())
    second = found.segments[1].file
    second.write_text("mine")
    with pytest.raises(MigrationsError) as caught:
        staging.write(found)
    assert str(caught.value) == f"{second} is there already. Nothing was changed."
    assert second.read_text() == "mine"
    second.unlink()
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if Path(target) == second:
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(MigrationsError) as caught:
        staging.write(found)
    assert str(caught.value) == (
        f"{second} cannot be written: No space left on device. Nothing was changed."
    )
    assert sorted(folder.iterdir()) == before


def test_changes_that_are_not_committed(make_app: MakeApp, tmp_path: Path) -> None:
    """A folder with changes is refused, unless that is allowed; other folders do not matter."""

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    folder, found = planned(make_app)
    (tmp_path / ".gitignore").write_text("__pycache__\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "x")
    (folder.parent / "notes.txt").touch()
    file = folder / "0005_e.py"
    file.touch()
    with pytest.raises(MigrationsError) as caught:
        staging.write(found)
    assert str(caught.value) == (
        f"{folder} has changes that are not committed: apps/shop/migrations/0005_e.py. Commit "
        "them, so that the squash can be told apart."
    )
    assert not found.segments[0].file.exists()
    staging.write(found, allow_dirty=True)
    assert found.segments[0].file.exists()
