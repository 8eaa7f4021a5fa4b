"""Times commands as whole processes, in turn, and compares their medians.

The runs alternate (A B A B ...), so that a machine that slows down slows both; a ratio of medians
is what is worth quoting. Nothing here fails: the figures are for reading.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RUNS = 11


@dataclass(frozen=True)
class Pair:
    """The medians of two commands, in seconds on the clock."""

    first: float
    second: float

    @property
    def ratio(self) -> float:
        """How many times as long the first takes."""
        return self.first / self.second


def compare(first: Sequence[str], second: Sequence[str], *, runs: int = RUNS) -> Pair:
    """Run both in turn ``runs`` times, after one run each that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for run in range(runs + 1):
        for index, command in enumerate((first, second)):
            start = time.perf_counter()
            done = subprocess.run(
                command, cwd=ROOT, env=environment(), capture_output=True, check=False
            )
            elapsed = time.perf_counter() - start
            if done.returncode:
                sys.exit(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
            if run:
                times[index].append(elapsed)
    return Pair(*map(statistics.median, times))


def environment() -> dict[str, str]:
    """Return an environment with settings, in which Python may cache its bytecode."""
    own = {
        "ENV_FILE": os.devnull,
        "DEBUG": "true",
        "SECRET_KEY": "only-for-benchmarks",
        "DATABASE_URL": "sqlite://:memory:",
    }
    return {**{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}, **own}
