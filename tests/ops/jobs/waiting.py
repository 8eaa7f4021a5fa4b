"""A run that waits in one of its phases, as long as the test likes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from django.db import connection

from tests.commands import ROOT, Commands
from tests.ops.jobs import books, phases

#: What a phase reads first, and so waits for on PostgreSQL.
TABLES = {"opening": "runbook_jobs_run"}
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"


@contextmanager
def waits(
    commands: Commands, url: str, phase: str, how: str, *argv: str
) -> Iterator["subprocess.Popen[str]"]:
    """Start the job on a database, and yield it once it waits in a phase."""
    process = subprocess.Popen(
        [sys.executable, phases.__file__, phase, how, *argv],
        env=commands.env(
            {
                "DATABASE_URL": url,
                "PYTHONUNBUFFERED": "1",
                "PYTHONPATH": f"{ROOT}:{ROOT / 'backend'}",
                "DJANGO_SETTINGS_MODULE": "project.settings",
            }
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with _held_up(process, phase, how):
            yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _held_up(process: "subprocess.Popen[str]", phase: str, how: str) -> Iterator[None]:
    """Let the process go on into its phase, and wait until it waits there."""
    out, into = process.stdout, process.stdin
    assert out
    assert into
    while phase not in (line := out.readline()):
        assert line, process.stderr and process.stderr.read()
    with _locked(phase) if how == "lock" else nullcontext():
        into.write("go on\n")
        into.flush()
        time.sleep(0.5)
        if how == "lock" and connection.vendor == "postgresql":
            _until(_blocked)
        yield


def _blocked() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(BLOCKED)
        return bool(cursor.fetchone())


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def _locked(phase: str) -> Iterator[None]:
    """Lock what the phase reads: a table of PostgreSQL, all of SQLite."""
    if connection.vendor == "postgresql":
        table = TABLES.get(phase, "accounts_account")
        statements = ("BEGIN", f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    else:
        statements = ("BEGIN EXCLUSIVE",)
    books.execute(*statements)
    try:
        yield
    finally:
        books.execute("ROLLBACK")
