"""What tests of the transition share: a squash, git, and the files of a folder."""

import os
import subprocess
import sys
from pathlib import Path

THING = 'migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))])'
MORE = 'migrations.CreateModel("More", [("id", models.BigAutoField(primary_key=True))])'
SQUASH = f"""
class Migration(migrations.Migration):
    replaces = [
        ("one", "0001_initial"),
        ("one", "0002_more"),
    ]

    initial = True

    dependencies = []

    operations = [{THING}, {MORE}]
"""
Tree = dict[str, str]


def git(folder: Path, *argv: str) -> str:
    """Run git there, as somebody."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *argv], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


def tree(top: Path) -> Tree:
    """Return every file but git's and Python's own."""
    return {
        str(file.relative_to(top)): file.read_text()
        for file in sorted(top.rglob("*"))
        if file.is_file() and not {".git", "__pycache__"} & set(file.parts)
    }


def forget(*labels: str) -> None:
    """Let the files be imported again."""
    for name in [name for name in sys.modules if name.split(".")[0] in labels]:
        del sys.modules[name]
