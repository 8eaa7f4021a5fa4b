"""What reading and pruning a ledger of a million runs costs: ``inv bench ledger``."""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.pairs import ROOT, environment
from tests.benchmarks.stage import MANAGE, Stage

#: What whoever watches over the jobs asks for; `job_status` ends with 1 where one has failed.
READS = (
    ("job_history",),
    ("job_history", "--job=retired"),
    ("list_jobs",),
    ("job_status",),
    ("show_run", "7"),
)
#: Half of the runs are older than so many days.
KEEP = "--keep-days=1736"
LONG = (
    ("job_history", "--count=1000"),
    ("job_history", "--count=100000"),
    ("job_history", "--count=100000", "--json"),
    ("prune_runs", KEEP, "--dry-run"),
    ("prune_runs", KEEP),
)
BOUND = 0.3  # seconds over the start of the process
FILL = """
import sys
import django
django.setup()
from django.db import connection
from tests.benchmarks.ledgers import fill
fill(connection, int(sys.argv[1]), batches=True)
"""


class Used(NamedTuple):
    """What a process took: on the clock, of a processor, and of memory in megabytes."""

    seconds: float
    processor: float
    memory: float


def main() -> None:
    """Print each read beside the start of its process, a long history, and a prune."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Stage() as stage:
        stage.execute('CREATE DATABASE "ledger"')
        for url in (f"sqlite:///{folder}/ledger.sqlite3", stage.url("ledger")):
            show(url, options)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")


def show(url: str, options: argparse.Namespace) -> None:
    """Fill a database, and print what its reads and a prune cost."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "backend")))
    settings = {"DJANGO_SETTINGS_MODULE": "project.settings", "PYTHONPATH": path}
    env = {"DATABASE_URL": url, "ENVIRONMENT": "test", **settings}
    manage(env, "migrate", "--verbosity=0")
    written = timed(env, sys.executable, "-c", FILL, str(options.runs))
    print(f"{url.partition(':')[0]}: {options.runs:,} runs, written in {written.seconds:.0f} s")
    print(f"medians of {options.rounds} runs each, whole processes, in turn with manage.py check")
    print(f"{'':<28}{'clock':>9}{'over start':>12}{'processor':>12}{'over start':>12}")
    for argv in READS:
        show_read(argv, env, options.rounds)
    for argv in LONG:
        used = timed(env, sys.executable, MANAGE, *argv)
        print(f"{' '.join(argv):<40}{used.seconds:7.1f} s, at most {used.memory:4.0f} MB")
    print()


def show_read(argv: Sequence[str], env: Mapping[str, str], rounds: int) -> None:
    """Print what a command takes over the start of a process: on the clock, and of a processor.

    A machine that is busy with something else delays the clock alone.
    """
    used: dict[str, list[Used]] = {"read": [], "start": []}
    for _ in range(rounds):
        used["read"].append(timed(env, sys.executable, MANAGE, *argv, codes=(0, 1)))
        used["start"].append(timed(env, sys.executable, MANAGE, "check"))
    clock, start = (median(one.seconds for one in used[name]) for name in used)
    own, bare = (median(one.processor for one in used[name]) for name in used)
    verdict = "ok" if clock - start <= BOUND else "MISSED"
    print(
        f"{' '.join(argv):<28}{clock:8.3f}s{clock - start:+11.3f}s{own:11.3f}s{own - bare:+11.3f}s"
        f"   {verdict}: at most {BOUND} s"
    )


def manage(env: Mapping[str, str], *argv: str) -> None:
    """Run a command of manage.py."""
    timed(env, sys.executable, MANAGE, *argv)


def timed(env: Mapping[str, str], *argv: str, codes: Sequence[int] = (0,)) -> Used:
    """Run a command to its end, and say what it took."""
    start = time.perf_counter()
    with Path(os.devnull).open("w") as nothing:
        process = subprocess.Popen(
            argv, cwd=ROOT, env={**environment(), **env}, stdout=nothing, stderr=subprocess.PIPE
        )
        said = process.stderr.read() if process.stderr else b""
        _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        sys.exit(f"{argv} ended with {process.returncode}: {said.decode()}")
    seconds = time.perf_counter() - start
    return Used(seconds, used.ru_utime + used.ru_stime, memory_of(used))


def memory_of(used: resource.struct_rusage) -> float:
    """Return the most memory that a process took, in megabytes; macOS counts in bytes."""
    return used.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
