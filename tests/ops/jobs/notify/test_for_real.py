"""In a project without users, sessions and admin: a night that fails, is killed, and is well again.

A real SMTP server and a real webhook are told; a monitor asks a real web server.
"""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import Commands
from tests.engines import server_settings

pytestmark = pytest.mark.slow

MANAGE = """\
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""
SETTINGS = """\
import json
import os

ENVIRONMENT = os.environ.get("SHOP", "production")
SECRET_KEY, ALLOWED_HOSTS = "only-for-tests", ["127.0.0.1"]
INSTALLED_APPS = ["django_runbook.schema", "django_runbook.jobs", "goods"]
DATABASES = {"default": json.loads(os.environ["DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF, USE_TZ = "urls", True
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["MAIL_PORT"])
EMAIL_SUBJECT_PREFIX = "[shop] "
"""
URLS = """\
from django.urls import include, path

urlpatterns = [path("ops/", include("django_runbook.jobs.urls"))]
"""
NIGHTLY = """\
import os
import sys
import time

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def handle(self, *args, **options):
        print("ada@example.com", flush=True)
        time.sleep(float(os.environ.get("SLEEP", "0")))
        sys.exit(int(os.environ.get("CODE", "0")))
"""
PYPROJECT = """\
[tool.django-runbook]
manage = "manage.py"

[tool.django-runbook.jobs.nightly]

[tool.django-runbook.notify]
mail = ["ops@example.org"]
webhook = "OPS_WEBHOOK_URL"
"""
LET_TIME_PASS = """\
import datetime
from django.db.models import F
from django_runbook.jobs.models import Run
past = datetime.timedelta(minutes=3)
times = {name: F(name) - past for name in ("started", "heartbeat", "finished")}
Run.objects.update(**times)
"""


@dataclass
class Shop:
    """A project that declares one job, and who is told of it."""

    root: Path
    env: dict[str, str]
    out: str = ""
    err: str = ""

    def popen(self, *argv: str, **extra: str) -> "subprocess.Popen[str]":
        """Start manage.py."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *argv],
            cwd=self.root,
            env={**self.env, **extra},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def manage(self, *argv: str, **extra: str) -> int:
        """Run manage.py to its end, and return its exit code."""
        process = self.popen(*argv, **extra)
        self.out, self.err = process.communicate(timeout=60)
        return process.returncode


@pytest.fixture
def shop(tmp_path, empty_database_url, mails, watcher) -> Shop:
    """Return the project, with its ledger."""
    root = tmp_path / "shop"
    commands = root / "goods/management/commands"
    commands.mkdir(parents=True)
    for folder in (root / "goods", commands.parent, commands):
        (folder / "__init__.py").touch()
    (commands / "nightly.py").write_text(NIGHTLY)
    for name, text in {"manage": MANAGE, "settings": SETTINGS, "urls": URLS}.items():
        (root / f"{name}.py").write_text(text)
    (root / "pyproject.toml").write_text(PYPROJECT)
    extra = {
        "DATABASE": json.dumps(server_settings(empty_database_url), default=str),
        "MAIL_PORT": str(mails.port),
        "OPS_WEBHOOK_URL": watcher.url,
        "RUNBOOK_STATUS_TOKEN": "a-token",
        "no_proxy": "*",
    }
    made = Shop(root, Commands(tmp_path).env(extra))
    assert made.manage("migrate", "--verbosity=0", SHOP="test") == 0, made.err
    return made


def killed(shop: Shop) -> None:
    """Start the job, kill its supervisor while it runs, and let its heart have stopped."""
    process = shop.popen("run_job", "nightly", SLEEP="60")
    assert process.stdout
    assert process.stdout.readline() == "ada@example.com\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert shop.manage("shell", "--no-imports", "-c", LET_TIME_PASS) == 0


def test_night_after_night(shop, mails, watcher):
    """Told of each bad end, once when it is well again, and of nothing else; no output is told."""
    assert shop.manage("run_job", "nightly") == 0
    assert shop.manage("run_job", "nightly", CODE="1") == 1
    assert shop.manage("run_job", "nightly") == 0
    assert shop.manage("run_job", "nightly") == 0
    killed(shop)
    assert shop.manage("job_status", "--notify") == 1
    assert shop.manage("run_job", "nightly") == 0
    assert shop.manage("job_status", "--notify") == 0
    told = [
        "nightly: run 2 failed",
        "nightly: run 3 succeeded; before it run 2 failed",
        "1 of 1 job(s) need a look",
        "nightly: run 5 was lost: its heartbeat stopped",
        "nightly: run 6 succeeded; before it run 5 was lost: its heartbeat stopped",
    ]
    assert mails.subjects() == [f"[shop] production: {line}" for line in told]
    hooks = [json.loads(call.body) for call in watcher.calls]
    assert [hook["lines"][0] for hook in hooks] == told
    assert [hook["event"] for hook in hooks] == [
        "failed",
        "recovered",
        "status",
        "lost",
        "recovered",
    ]
    assert {tuple(to) for to, _mail in mails.mails} == {("ops@example.org",)}
    everything = json.dumps(hooks) + "".join(mail.as_string() for _to, mail in mails.mails)
    assert "ada@" not in everything


@pytest.fixture
def server(shop) -> Iterator[str]:
    """Yield the address of Django's own server, which serves the project."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = shop.popen("runserver", "--noreload", f"127.0.0.1:{port}")
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/ops/status"
    process.terminate()
    process.communicate(timeout=20)


def asked(url: str, token: str = "a-token", method: str = "GET") -> tuple[int, str, str]:
    """Return code, caching and body of the answer."""
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["Cache-Control"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Cache-Control"], error.read().decode()


def test_monitor_asks_over_http(shop, server):
    """Well, failed, and then without its tables: 200, 503, 503; and 401 without the token."""
    code, caching, body = asked(server)
    assert (code, caching, json.loads(body)["ok"]) == (200, "no-store", True)
    assert asked(server, method="HEAD") == (200, "no-store", "")
    assert asked(server, "wrong") == (401, "no-store", "")
    assert asked(server, method="POST")[0] == 405
    assert shop.manage("run_job", "nightly", CODE="1") == 1
    code, caching, body = asked(server)
    assert (code, caching) == (503, "no-store")
    assert json.loads(body)["jobs"][0]["findings"] == ["failed"]
    assert "ada@" not in body
    assert shop.manage("migrate", "runbook_jobs", "zero", "--verbosity=0", SHOP="test") == 0
    assert asked(server) == (503, "no-store", '{"ok": false}')
