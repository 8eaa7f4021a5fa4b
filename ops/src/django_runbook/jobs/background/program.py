"""The process that does an errand, wherever a worker runs: its words, its environment, its end."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from django.conf import settings

from django_runbook.config import ConfigError, of_settings
from django_runbook.jobs.ledger.recording import around
from django_runbook.jobs.ledger.who import BY
from django_runbook.jobs.wrapped import process as processes
from django_runbook.jobs.wrapped.output import LOOK_SECONDS, Output
from django_runbook.jobs.wrapped.process import Process

SETTINGS = "DJANGO_SETTINGS_MODULE"


def program() -> list[str]:
    """Return the words that start a management command: of the declared manage.py, or Django's.

    The worker's own program may be Celery's. With ``-P`` no folder stands first on the path.
    """
    try:
        found = of_settings()
    except ConfigError:
        found = None
    if found is not None:
        return [sys.executable, str(found.manage)]
    return [sys.executable, "-P", "-m", "django"]


def environment(by: str, words: Sequence[str]) -> dict[str, str]:
    """Return the environment of the process: who asked, with these settings, in no run so far."""
    env = {name: value for name, value in os.environ.items() if name not in around.NAMES}
    if module := getattr(settings, "SETTINGS_MODULE", None):
        env[SETTINGS] = str(module)
    if "-m" in words:  # which knows nothing of the folder that a manage.py would stand in
        env["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return {**env, BY: by}


def supervised(words: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Run a command to its end; return its exit code, and the end of what it printed.

    What it prints goes where this process prints. Where this process ends, or is told to, the
    command is ended: first as an operator would.
    """
    output = Output()
    process = Process(words, env, output)
    try:
        process.hand_on(_descriptor(sys.__stdout__), _descriptor(sys.__stderr__))
        while (code := process.wait(LOOK_SECONDS)) is None:
            pass
    except BaseException:
        _end(process)
        raise
    return (code if code >= 0 else 128 - code), output.read()


def _end(process: Process) -> None:
    process.send(signal.SIGTERM)
    end = time.monotonic() + processes.KILL_SECONDS
    while process.wait(LOOK_SECONDS) is None:
        if time.monotonic() >= end:
            process.kill()
            return


def _descriptor(stream: TextIO | None) -> int:
    """Return where this process itself prints; -1 where that was closed, which nobody can write."""
    try:
        return stream.fileno() if stream else -1
    except (OSError, ValueError):
        return -1
