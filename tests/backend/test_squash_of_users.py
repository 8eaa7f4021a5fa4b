"""The product's own example of a squash: the users, in a copy of this repository."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT, Commands
from tests.engines import server_url

SQUASH = "0001_initial_squashed_0003_profile"
OUT = """\
users: 3 migrations can become 1 file.
  0001_initial_squashed_0003_profile replaces 0001_initial to 0003_profile (3): \
3 operations become 2
Proved: users, 3 files -> 1, 3 operations -> 2.
"""
END = f"""\
--finish must wait for databases at users.0001_initial to users.0003_profile (3 states), \
until they have recorded the squash.
Wrote backend/users/migrations/{SQUASH}.py
Wrote backend/users/migrations/proofs/{SQUASH}.json
Next: commit these files, and deploy them with the old ones.
Once every environment has migrated, 'inv db.squash users --finish' removes the old files.
"""
EARLY = f"""\
production (PRODUCTION_DATABASE_URL) has applied all that {SQUASH} replaces, and not recorded it. \
Deploy this code there, with the old files, and run 'inv db.migrate users' there.
CommandError: Not every environment has recorded the squash of users; nothing was changed.
"""


def git(root: Path, *words: str) -> None:
    """Run git as nobody in particular."""
    who = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
    subprocess.run(["git", "-C", root, *who, *words], check=True, capture_output=True)


@pytest.mark.slow
def test_users_are_squashed_proved_and_finished(tmp_path: Path) -> None:
    """Three files become one, PostgreSQL's schema is the same, and the old ones go in the end."""
    root = tmp_path / "a copy"
    shutil.copytree(ROOT / "backend", root / "backend")
    shutil.copytree(ROOT / "ops", root / "ops")
    declared = '\n[tool.django-runbook.environments]\nproduction = "PRODUCTION_DATABASE_URL"\n'
    text = (ROOT / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(text + declared)
    (root / ".gitignore").write_text("__pycache__/\n*.sqlite3\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Start")
    commands = Commands(tmp_path)
    live = f"sqlite:///{tmp_path / 'live.sqlite3'}"
    settings = {
        "DATABASE_URL": live,
        "PRODUCTION_DATABASE_URL": live,
        "RUNBOOK_SCRATCH_DATABASE_URL": server_url(),
        "PYTHONPATH": str(root),
    }

    def manage(*words: str):
        return commands.run(sys.executable, "backend/manage.py", *words, cwd=root, **settings)

    assert manage("migrate", "--verbosity=0").code == 0
    done = manage("squash", "users")
    assert done.code == 0, done
    assert done.out.startswith(OUT)
    assert done.out.endswith(END)
    assert re.search(r"\n  postgresql [\d.]+ \(.*\): schema equal, ", done.out)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Squash")
    assert manage("squash", "--verify").out.endswith("\n1 proof(s) hold.\n")
    early = manage("squash", "users", "--finish")
    assert (early.code, early.out) == (3, "")
    assert early.err == EARLY
    assert manage("migrate", "--verbosity=0").code == 0
    done = manage("squash", "users", "--finish")
    assert done.code == 0, done
    names = sorted(file.name for file in (root / "backend/users/migrations").glob("0*.py"))
    assert names == [f"{SQUASH}.py"]
    assert manage("makemigrations", "--check").code == 0
