"""A site with a worker: real processes, and one who asks."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.contrib.auth import get_user_model

from django_runbook.jobs.models import Run
from tests.commands import ROOT, Commands, Done
from tests.ops.jobs import books

HERE = Path(__file__).parent
MANAGE = (sys.executable, str(ROOT / "backend/manage.py"))
PATHS = (HERE / "site", HERE.parent / "wrapped", ROOT, ROOT / "backend")
WORKER = ("db_worker", "--no-reload", "--interval=0.1", "--no-startup-delay")
SEEN = 40  # seconds until what is waited for must have come
USERS = 5_999  # and alice


class Site:
    """The product with a slow job, on the database of this process."""

    def __init__(self, commands: Commands, url: str, log: Path) -> None:
        self._commands = commands
        self.extra = {
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "worker_settings",
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
        }
        self.log = log
        self._started: list[subprocess.Popen[bytes]] = []

    def manage(self, *argv: str, **extra: str) -> Done:
        """Run a command of its manage.py."""
        return self._commands.run(*MANAGE, *argv, **{**self.extra, **extra})

    def ask(self, path: str, times: int = 1, **fields: str) -> list[list[Any]]:
        """Go to a page as alice and send its form so many times; return what the answers say."""
        words = (sys.executable, HERE / "asking.py", "alice", path, json.dumps(fields), str(times))
        done = self._commands.run(*words, **self.extra)
        assert done.code == 0, done.err
        answers: list[list[Any]] = json.loads(done.out)
        return answers

    def work(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [*MANAGE, *WORKER],
                cwd=ROOT,
                env=self._commands.env(self.extra),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started.append(worker)
        return worker

    def tasks(self) -> list[dict[str, Any]]:
        """Return how the tasks came out, oldest first."""
        code = (
            "import json; from django_tasks_db.models import DBTaskResult as Task; "
            "print(json.dumps([dict(status=task.status, said=task.return_value, "
            "error=task.traceback.strip().rpartition(chr(10))[2]) "
            "for task in Task.objects.order_by('enqueued_at')]))"
        )
        done = self.manage("shell", "-v0", "-c", code)
        found: list[dict[str, Any]] = json.loads(done.out)
        return found

    def end(self) -> None:
        """End the workers, whatever they do."""
        for worker in self._started:
            with suppress(psutil.NoSuchProcess):
                for each in psutil.Process(worker.pid).children(recursive=True):
                    each.kill()
            worker.kill()
            worker.wait()


@pytest.fixture
def site(commands: Commands, shared_url: str, tmp_path: Path) -> Iterator[Site]:
    """Yield a site with some thousand users who were not greeted, one of whom is alice."""
    made = Site(commands, shared_url, tmp_path / "worker.log")
    assert made.manage("migrate", "--verbosity=0").code == 0
    books.open_accounts(USERS)
    get_user_model().objects.create_superuser("alice")
    yield made
    made.end()


def until(seen: Callable[[], Any]) -> Any:
    """Wait until something is so; return it."""
    end = time.monotonic() + SEEN
    while not (found := seen()):
        assert time.monotonic() < end, Run.objects.values("job", "status", "changed", "reason")
        time.sleep(0.05)
    return found


def run(pk: int, *statuses: str) -> Run:
    """Wait until a run has one of these statuses; return it."""
    return until(lambda: Run.objects.filter(pk=pk, status__in=statuses).first())
