"""A repository that is not this one: the kit must serve it as well."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import BIN, Commands, Done

TASKS = """\
import sys
from pathlib import Path

import invoke

from django_runbook.tasks import kit, process, task


@task(passes_on=True)
def steps(c):
    \"\"\"Run two steps.\"\"\"
    process.run(c, [sys.executable, "-c", *process.typed()])
    process.run(c, [sys.executable, "-c", "print('second step')"], {"NOTE": "a b"})


@invoke.task(aliases=["hi"])
def hello(c):
    \"\"\"Say hello: a task of plain Invoke.\"\"\"
    print("hello")
    c.run("exit ${HELLO:-0}")


ns = kit(Path(__file__).resolve().parent)
ns.add_task(steps)
ns.add_task(hello)
"""
MANAGE = """\
import json
import os
import sys

if sys.argv[1:] == ["target", "--json"]:
    print(json.dumps(dict.fromkeys(["environment", "host", "port", "database", "user"], "")
          | {"engine": "sqlite"}))
    sys.exit()
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "pid": os.getpid()}))
sys.exit(int(os.environ.get("CODE", "0")))
"""


@dataclass(frozen=True)
class Repository:
    """A repository whose manage.py writes down how it was called."""

    root: Path
    commands: Commands

    def inv(self, *argv: str, cwd: Path | None = None, **extra: str | None) -> Done:
        """Run its `inv`."""
        return self.commands.run(BIN / "inv", *argv, cwd=cwd or self.root, **extra)

    def called(self, *argv: str, **options: object) -> dict[str, object]:
        """Return how manage.py was called by a task that must succeed."""
        done = self.inv(*argv, **options)
        assert (done.code, done.err) == (0, ""), done
        called: dict[str, object] = json.loads(done.out)
        return called


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository in a folder with a space in its name."""
    root = tmp_path / "another repository"
    (root / "src").mkdir(parents=True)
    (root / "tasks.py").write_text(TASKS)
    (root / "src/manage.py").write_text(MANAGE)
    (root / "pyproject.toml").write_text('[tool.django-runbook]\nmanage = "src/manage.py"\n')
    return Repository(root, Commands(tmp_path))


@pytest.fixture
def no_clients(tmp_path: Path) -> str:
    """Return a PATH without any database's client program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("inv", "python"):
        (folder / name).symlink_to(BIN / name)
    return str(folder)
