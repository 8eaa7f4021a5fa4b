"""Runs several commands at once, to the end, whatever fails."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from invoke import Context

from django_runbook.tasks.processes.command_line import line
from django_runbook.tasks.processes.process import exit_code, is_dry, working_folder


@dataclass(frozen=True)
class Step:
    """A command to run beside others."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Outcome:
    """What a step came to: its exit code, seconds on the clock, and output with errors."""

    code: int
    seconds: float
    output: str


def gather(c: Context, steps: Mapping[str, Step]) -> dict[str, Outcome]:
    """Run several steps at once, to the end, whatever fails. Under ``--dry`` print them instead."""
    if is_dry(c):
        for step in steps.values():
            print(line(step.argv, step.env))
        return {}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(steps)) as pool:
        return dict(zip(steps, pool.map(partial(_outcome, c), steps.values()), strict=True))


def _outcome(c: Context, step: Step) -> Outcome:
    start = time.monotonic()
    done = subprocess.run(
        step.argv,
        env={**os.environ, **step.env},
        cwd=working_folder(c),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(exit_code(done.returncode), time.monotonic() - start, done.stdout)
