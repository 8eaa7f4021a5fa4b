"""The site of the browser tests as real processes: a web server, and a worker beside it."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.commands import ROOT, Commands, Done

MANAGE = ROOT / "tests/browser/site/manage.py"
PATHS = os.pathsep.join((str(ROOT), str(ROOT / "backend")))
LISTENING = re.compile(r"http://127\.0\.0\.1:(\d+)/")
WORKER = ("db_worker", "--backend=runbook", "--queue-name=*", "--interval=0.2", "--no-reload")
SECONDS = 30  # that a process may take to start, and to end
#: A superuser; one who may look, at the accounts too, and do nothing; one who may not even look.
BOSS, VIEWER, STRANGER = "boss", "viewer", "stranger"
USERS = """
import os
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
password = os.environ["PASSWORD"]
users = get_user_model().objects
users.create_superuser("boss", password=password)
viewer = users.create_user("viewer", password=password, is_staff=True)
may = Permission.objects.filter(codename__startswith="view_")
viewer.user_permissions.set(may.filter(content_type__app_label__in=["runbook_jobs", "accounts"]))
users.create_user("stranger", password=password, is_staff=True)
"""


class Site:
    """A served site. Whoever leaves its context ends what it has started, and nothing else."""

    password = secrets.token_urlsafe(12)

    def __init__(
        self, folder: Path, database_url: str, environment: str = "local", **more: str
    ) -> None:
        self.url = ""
        self.database = urlsplit(database_url).path.removeprefix("/")
        self._commands = Commands(folder)
        self._folder = folder
        self._env = {
            "DATABASE_URL": database_url,
            "ENVIRONMENT": environment,
            "PYTHONPATH": PATHS,
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "tests.browser.site.settings",
            **more,
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def manage(self, *argv: str) -> Done:
        """Run a command of its manage.py."""
        return self._commands.run(sys.executable, MANAGE, *argv, **self._env)

    def done(self, *argv: str) -> str:
        """Return what a command prints that must end well."""
        done = self.manage(*argv)
        assert done.code == 0, done
        return done.out

    def json(self, *argv: str) -> Any:
        """Return what a command says as JSON."""
        return json.loads(self.done(*argv, "--json"))

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a command of its manage.py."""
        return self._start("command", *argv)

    def python(self, code: str) -> None:
        """Execute Python in the site."""
        code = f"import django; django.setup()\n{code}"
        env = {**self._env, "PASSWORD": self.password}
        done = self._commands.run(sys.executable, "-c", code, **env)
        assert done.code == 0, done.err

    def prepare(self, accounts: int) -> None:
        """Apply the migrations; make sample accounts, and who looks at the pages."""
        self.done("migrate", "--verbosity=0")
        self.done("create_sample_accounts", f"--count={accounts}")
        self.python(USERS)

    def serve(self) -> None:
        """Start the web server, on a port that the system chooses."""
        self._start("web", "runserver", "--noreload", "127.0.0.1:0")
        self.url = f"http://127.0.0.1:{self._port()}"

    def work(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self._start("worker", *WORKER)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End one of its processes."""
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._started.remove(process)

    def said(self, name: str) -> str:
        """Return what the web server or the worker has written."""
        return (self._folder / f"{name}.log").read_text("utf-8")

    def _start(self, name: str, *argv: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, MANAGE, *argv],
                cwd=ROOT,
                env=self._commands.env(self._env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started.append(process)
        return process

    def _port(self) -> str:
        until = time.monotonic() + SECONDS
        while not (found := LISTENING.search(self.said("web"))):
            dead = self._started[-1].poll() is not None
            assert not dead and time.monotonic() < until, self.said("web")  # noqa: PT018
            time.sleep(0.05)
        return found[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started.copy()):
            self.end(process)
