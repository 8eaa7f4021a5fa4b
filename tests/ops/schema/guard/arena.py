"""A project with two databases, and every way to start what would destroy them."""

import contextlib
import json
import os
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.commands import BIN, Commands, Done
from tests.engines import Scratch

SETTINGS = """\
import os

from django_runbook.schema.database.url import settings_of

SECRET_KEY = "only-for-tests"
DEBUG = os.environ.get("DEBUG") == "true"
USE_TZ = True
DATABASES = {name: settings_of(os.environ[name.upper()]) for name in ("default", "other")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django_runbook.schema",
    "django_runbook.jobs",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_extensions",
    "shop",
]
"""
JOBS = """\
from django.contrib.auth.models import User

from django_runbook.jobs import Transition, register

LEAVE = register(
    Transition(
        job="leave",
        due=lambda _cutoff: User.objects.filter(username="a", is_active=True),
        was={"is_active": True},
        to={"is_active": False},
    )
)
"""
LEAVE = (
    "from django.utils import timezone\n"
    "from django_runbook.jobs import run_transition\n"
    "from shop.jobs import LEAVE\n"
    "run_transition(LEAVE, now=timezone.now())"
)
MANAGE = """\
from django_runbook.manage import main

main("settings")
"""
TASKS = """\
from pathlib import Path

from django_runbook.tasks import kit

ns = kit(Path(__file__).resolve().parent)
"""
USER = {
    "username": "loaded",
    "password": "!",
    "is_superuser": True,
    "date_joined": "2026-01-01T00:00Z",
}
ROWS = json.dumps([{"model": "auth.user", "pk": 1, "fields": USER}])
INSERT = (
    "INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, "
    "is_staff, is_active, date_joined) "
    "VALUES ('{}', '!', '', '', '', false, false, true, '2026-01-01')"
)
#: What destroys or rewrites, with the words that let it ask nothing by itself.
COMMANDS = {
    "flush": ("--no-input",),
    "reset_db": ("--noinput",),
    "reset_schema": ("--noinput",),
    "migrate": ("auth", "zero"),
    "loaddata": ("rows.json",),
    "syncdata": ("rows.json",),
    "remove_stale_contenttypes": ("--no-input",),
    "restore": ("saved",),
    "dbshell": ("--write", "--sql", "DELETE FROM auth_user"),
    "undo_run": ("1",),
    "set_fake_passwords": (),
    "set_fake_emails": (),
}
#: Those that know no alias but the default one.
ONE_ALIAS = ("undo_run", "set_fake_passwords", "set_fake_emails")
#: The same by a task of its own.
TASKS_OF = {
    "flush": ("db.flush",),
    "reset_db": ("db.reset",),
    "migrate": ("db.migrate", "auth", "zero"),
    "restore": ("db.restore", "saved"),
    "dbshell": ("db.shell", "--write", "--sql", "DELETE FROM auth_user"),
    "undo_run": ("jobs.undo", "1"),
}
WAYS = ("manage.py", "inv manage", "run_job", "inv jobs.run", "task")


@dataclass(frozen=True)
class Arena:
    """The project; ``urls`` by alias."""

    root: Path
    urls: dict[str, str]
    commands: Commands

    def run(self, *argv: str | Path, stdin: str = "", **extra: str | None) -> Done:
        """Run a command there, without a terminal."""
        env: dict[str, str | None] = {name.upper(): url for name, url in self.urls.items()}
        env |= {"DEBUG": None, "SECRET_KEY": None, "ENV_FILE": None, **extra}
        return self.commands.run(*argv, cwd=self.root, stdin=stdin, **env)

    def manage(self, *argv: str, **extra: str | None) -> Done:
        """Run `manage.py`."""
        return self.run(sys.executable, self.root / "manage.py", *argv, **extra)

    def inv(self, *argv: str, **extra: str | None) -> Done:
        """Run `inv`."""
        return self.run(BIN / "inv", *argv, **extra)

    def start(self, command: str, way: str, alias: str, **extra: str | None) -> Done:
        """Start what destroys in one of the ways, on one of the databases."""
        words = list(COMMANDS[command])
        if alias != "default":
            words.insert(0, f"--database={alias}")
        job = () if command == "undo_run" else ("--",)
        if way == "manage.py":
            return self.manage(command, *words, **extra)
        if way == "inv manage":
            return self.inv("manage", "--", command, *words, **extra)
        if way == "run_job":
            return self.manage("run_job", command, "--", *words, **extra)
        if way == "inv jobs.run":
            return self.inv("jobs.run", command, "--", *words, **extra)
        given = () if alias == "default" else (*job, f"--database={alias}")
        return self.inv(*TASKS_OF[command], *given, **extra)

    def state(self) -> dict[str, Any]:
        """Return every table of each database with its rows, but for what the ledger writes."""
        return {alias: _state(url) for alias, url in self.urls.items()}


def made(folder: Path, engine: str, scratch: Scratch) -> Arena:
    """Return an arena with five users in each database, a backup, and a run that may be undone."""
    root = folder / "an arena"
    (root / "shop").mkdir(parents=True)
    for name, text in {
        "shop/__init__.py": "",
        "shop/jobs.py": JOBS,
        "settings.py": SETTINGS,
        "manage.py": MANAGE,
        "tasks.py": TASKS,
        "rows.json": ROWS,
        "pyproject.toml": '[tool.django-runbook]\nmanage = "manage.py"\n',
    }.items():
        (root / name).write_text(text)
    urls = {alias: scratch.create(engine) for alias in ("default", "other")}
    arena = Arena(root, urls, Commands(folder))
    local = {"ENVIRONMENT": "local", "DEBUG": "true"}
    for alias, url in urls.items():
        done = arena.manage("migrate", f"--database={alias}", "--verbosity=0", **local)
        assert done.code == 0, done
        with contextlib.closing(connect(url)) as connection:
            for name in "abcde":
                connection.execute(INSERT.format(name))
            connection.commit()
    assert arena.manage("shell", "-c", LEAVE, **local).code == 0
    assert arena.manage("backup", "--output=saved", **local).code == 0
    return arena


def connect(url: str) -> Any:
    """Return a connection that knows nothing of Django."""
    if url.startswith("sqlite"):
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    return psycopg.connect(url)


def _state(url: str) -> dict[str, list[Any]]:
    if url.startswith("sqlite") and not os.path.exists(url.removeprefix("sqlite:///")):  # noqa: PTH110
        return {}
    tables = (
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
        if url.startswith("sqlite")
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    with contextlib.closing(connect(url)) as connection:
        names = [name for (name,) in connection.execute(tables).fetchall()]
        own = [name for name in names if not name.startswith(("runbook_jobs_", "sqlite_"))]
        return {
            name: sorted(map(str, connection.execute(f'SELECT * FROM "{name}"').fetchall()))
            for name in own
        }
