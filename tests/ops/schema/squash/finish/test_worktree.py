"""No file is written or removed that git could not bring back."""

from pathlib import Path
from typing import Any

import pytest

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.finish.transition import prepare
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.finish.finishing import SQUASH, THING, git
from tests.ops.schema.squash.plan_and_proof import PROOF


def test_work_tree_that_is_not_clean(two_apps: Path) -> None:
    """A tracked file that differs is named; an untracked one elsewhere is nobody's business."""
    (two_apps / "new.txt").touch()
    assert prepare("one", environments=[])
    (two_apps / "apps/notes.txt").write_text("changed")
    with pytest.raises(MigrationsError) as error:
        prepare("one", environments=[])
    assert str(error.value) == (
        "The work tree is not clean: apps/notes.txt differs from the last commit. "
        "Commit that, or run 'git stash'."
    )


def test_untracked_squash(two_apps: Path) -> None:
    """What was squashed a moment ago is committed first."""
    git(two_apps, "rm", "-q", "--cached", "apps/one/migrations/0001_squashed_0002_more.py")
    git(two_apps, "commit", "-q", "-m", "less")
    with pytest.raises(MigrationsError, match=r"0001_squashed_0002_more\.py is not tracked by git"):
        prepare("one", environments=[])


def test_no_work_tree(make_app: MakeApp) -> None:
    """Without git nothing would bring the files back."""
    make_app("one", m0001_initial=f"[{THING}]", m0002_more="[]", m0001_squashed_0002_more=SQUASH)
    with pytest.raises(
        MigrationsError, match=r"migrations is in no work tree of git, and old files"
    ):
        prepare("one", environments=[])


def test_changes_that_are_not_committed(squash: Any, shop: Path, proves: Any) -> None:
    """They are told before the work begins; a dry run does not mind."""
    proves(PROOF)
    text = "from django.db import migrations\n\n\nclass Migration(migrations.Migration): ...\n"
    (shop / "apps/one/migrations/0003_new.py").write_text(text)
    assert squash("one") == (
        3,
        "",
        (
            "apps/one/migrations/0003_new.py is not committed. "
            "Commit it, so that the squash can be told apart.\n"
        ),
    )
    assert squash("one", "--dry-run")[0] == 0
    (shop / "apps/one/migrations/0003_new.py").unlink()
    (shop / "apps/new.txt").touch()
    assert squash("one")[0] == 0
