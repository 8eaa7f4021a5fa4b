"""Forks of a process that has loaded Django: hundreds take seconds. Each opens its connection."""

import dataclasses
import datetime
import gc
import itertools
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

SMALL = 3  # rows a batch


def forked(work: Callable[[], object]) -> int:
    """Run this in a process of its own; return its process id. It ends with 0, or 1 on an error."""
    from django.db import connections

    connections.close_all()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # nothing may come back from a fork
        traceback.print_exc()
    finally:
        connections.close_all()
        sys.stdout.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Killer:
    """Kills its own process before the statement with this number; a COMMIT counts as one."""

    def __init__(self, number: int) -> None:
        self.left = number

    def install(self) -> None:
        """Watch the statements of the default connection."""
        from django.db import connection

        commit = connection._commit

        def committed() -> None:
            self.before("COMMIT")
            commit()

        connection._commit = committed
        connection.execute_wrappers.append(self)

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        self.before(" ".join(sql.split()))
        return execute(sql, *arguments)

    def before(self, statement: str) -> None:
        """Count, and perhaps die."""
        self.left -= 1
        if not self.left:
            print(json.dumps(statement[:60]), end=", ", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


def kill_at_each_statement(work: Callable[[], object], again: Callable[[], object]) -> None:
    """Kill this before its first statement, its second, ... in forks; look ``again`` each time.

    Prints a JSON list: a statement, what ``again`` prints, the next statement, ..., 0.
    """
    gc.freeze()
    print("[", end="")
    for number in itertools.count(1):

        def victim(number: int = number) -> None:
            Killer(number).install()
            work()

        code = ended(forked(victim))
        assert code in {0, -signal.SIGKILL}, code
        if code == 0:
            print(json.dumps("the end"), end=", ")
        assert ended(forked(again)) == 0
        if code == 0:
            break
    print("0]")


def careless() -> None:
    """Let SQLite forget what it was told when the power fails: only processes are killed here."""
    from django.db.backends.signals import connection_created

    def opened(connection: Any, **_: Any) -> None:
        if connection.vendor == "sqlite":
            connection.cursor().execute("PRAGMA synchronous = OFF")

    connection_created.connect(opened, weak=False)


def any_time() -> None:
    """Let a run be for any time, however far from the database's clock."""
    from django_runbook.jobs.database import clock

    clock.MOST_SKEW = datetime.timedelta(days=36_500)


def adapt(size: int = SMALL, *, overlap: str = "share") -> None:
    """Let batches have this size, and the job no limit on its share; its runs may not overlap."""
    from django_runbook.jobs.batches import loop, run_transition
    from django_runbook.jobs.batches.undo.undo_run import undo_run

    loop.FIRST_SIZE = loop.LARGEST_SIZE = loop.LARGEST_PORTABLE = size
    declared = run_transition.declared_job

    def job(name: str) -> Any:
        unlimited = {"max_share": None, "max_times_median": None}
        return dataclasses.replace(declared(name), overlap=overlap, **unlimited)

    run_transition.declared_job = undo_run.declared_job = job
