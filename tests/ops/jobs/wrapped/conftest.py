"""Programs and commands of a project as wrapped jobs, in this process or in one of their own."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from django_runbook.config import Job
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.wrapped.command import CommandResult, run_command
from tests.commands import ROOT, Commands

HERE = Path(__file__).parent
JOB = Job(name="tidy")
NIGHTS = {
    "DJANGO_SETTINGS_MODULE": "night_settings",
    "PYTHONPATH": os.pathsep.join(map(str, (HERE, ROOT, ROOT / "backend"))),
}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Any]:
    """Yield two files that stand for standard output and standard error."""
    with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
        yield out, err


@pytest.fixture
def run(files) -> Callable[..., CommandResult]:
    """Return what runs a Python program as the job's command."""

    def ran(body: str, *argv: str, **values: Any) -> CommandResult:
        out, err = files
        values = {"order": Order(), "max_seconds": 20, "job": JOB, **values}
        job = values.pop("job")
        words = [sys.executable, "-IS", "-c", body, *argv]
        return run_command(job, words, out=out.fileno(), err=err.fileno(), **values)

    return ran


@pytest.fixture
def nights(commands: Commands) -> Callable[..., Any]:
    """Return what runs a command of a project with the app ``nights``."""
    return lambda *argv, **extra: commands.manage(*argv, **{**NIGHTS, **extra})


def said(file: Any) -> str:
    """Return what was written to a file."""
    file.seek(0)
    return str(file.read())
