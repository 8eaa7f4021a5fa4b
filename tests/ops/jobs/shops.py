"""A repository of its own with a job that is a command like any other, started as operators do."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.commands import BIN, ROOT, Commands, Done

SETTINGS = """\
from project.settings import *
from project.settings import INSTALLED_APPS as ALL

INSTALLED_APPS = [*ALL, "shop"]
"""
#: Writes down how it was called; what happens then is in its environment.
BILLS = """\
import json, os, sys, time
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--currency", default="EUR")
        parser.add_argument("--token", default="")

    def handle(self, **options):
        slot = os.environ.get("RUNBOOK_SLOT", "")
        with open(os.environ["TOLD"], "a") as told:
            told.write(json.dumps([slot, *sys.argv[2:]]) + "\\\\n")
        while (until := os.environ.get("UNTIL")) and not os.path.exists(until):
            time.sleep(0.05)
        if slot.startswith(os.environ.get("FAILS", "never")):
            sys.exit(7)
""".replace("\\\\n", "\\n")
TASKS = """\
from pathlib import Path

from django_runbook.tasks import kit

ns = kit(Path(__file__).parent)
"""
HEAD = '[tool.django-runbook]\nmanage = "manage.py"\n'
SCHEDULE = """\
[tool.django-runbook.schedule]
repository = "example/shop"
image = "registry.example/shop:1"
folder = "/srv/shop"
"""
DAILY = '[tool.django-runbook.jobs.send_bills]\ncron = "0 4 * * *"\n'


class Shop:
    """The repository, and how its commands are run."""

    def __init__(self, root: Path, commands: Commands, url: str) -> None:
        self.root, self.told = root, root / "told"
        self._commands = commands
        self.env = {
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "shop_settings",
            "PYTHONPATH": os.pathsep.join(map(str, (root, ROOT, ROOT / "backend"))),
            "TOLD": str(self.told),
        }
        folder = root / "shop/management/commands"
        folder.mkdir(parents=True)
        (folder / "send_bills.py").write_text(BILLS)
        (root / "shop_settings.py").write_text(SETTINGS)
        (root / "manage.py").write_text((ROOT / "backend/manage.py").read_text())
        (root / "tasks.py").write_text(TASKS)
        self.declare(DAILY)

    def declare(self, jobs: str) -> None:
        """Write pyproject.toml."""
        (self.root / "pyproject.toml").write_text(HEAD + jobs)

    def manage(self, *argv: str, **extra: str | None) -> Done:
        """Run a command of manage.py."""
        env = {**self.env, **extra}
        return self._commands.run(
            BIN / "python", self.root / "manage.py", *argv, cwd=self.root, **env
        )

    def inv(self, *argv: str, **extra: str | None) -> Done:
        """Run a task."""
        env = {**self.env, **extra}
        return self._commands.run(BIN / "inv", *argv, cwd=self.root, **env)

    def start(self, *argv: str, **extra: str) -> "subprocess.Popen[str]":
        """Start a command of manage.py, and leave it running."""
        return subprocess.Popen(
            [BIN / "python", self.root / "manage.py", *argv],
            cwd=self.root,
            env=self._commands.env({**self.env, **extra}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def calls(self) -> list[list[str]]:
        """Return how the job's command was called: its slot, and its words."""
        if not self.told.exists():
            return []
        return [json.loads(line) for line in self.told.read_text().splitlines()]

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs of the ledger, oldest first."""
        done = self.manage("job_history", "--json", "--count=1000")
        assert done.code == 0, done
        found = json.loads(done.out)
        return sorted(found, key=lambda run: run["run"])


@pytest.fixture(name="shop")
def shop_fixture(tmp_path: Path, commands: Commands, database_url: str) -> Shop:
    """Return the repository, with a new database."""
    root = tmp_path / "a shop"
    root.mkdir()
    return Shop(root, commands, database_url)
