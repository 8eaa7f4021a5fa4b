"""What the ledger costs over a plain UPDATE, and what it spares everybody else.

``python -m tests.benchmarks.bench_jobs`` takes about seven minutes and 4 GB of disk; ``--quick``
takes one minute. Nothing here fails: the figures are for reading.
"""

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.benchmarks.clients import Clients
from tests.benchmarks.pairs import ROOT, compare
from tests.benchmarks.stage import MANAGE, Population, Stage

NAMES = {
    "alone": "the clients alone",
    "raw": "one raw SQL UPDATE",
    "single": "one .update() of the ORM",
    "ledger": "expire_trials, the ledger",
    "portable": "the same, portable path",
}
BACKFILL = {
    "raw_names": "one raw SQL UPDATE",
    "names": "fill_display_names, the ledger",
    "portable_names": "the same, portable path",
}
WORKERS = (1, 2, 4)
LEAD = 1.0  # seconds that the clients have to themselves before a job begins
BIG, SMALL, WORK = "big", "small", "work"


@dataclass(frozen=True)
class Figures:
    """How fast rows were changed, and how long clients waited the while, in milliseconds."""

    rate: float
    p50: float
    p99: float
    worst: float

    @classmethod
    def median(cls, all_: Sequence["Figures"]) -> "Figures":
        """Return the median of each figure."""
        names = ("rate", "p50", "p99", "worst")
        return cls(*(statistics.median(getattr(one, name) for one in all_) for name in names))


def main() -> None:
    """Fill the databases, run everything in turn, and print the tables."""
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # it does without
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped
    options = read_options()
    check_disk(options.accounts)
    with Stage() as stage:
        print(f"{about(stage)}; filling {options.accounts:,} accounts ...", flush=True)
        stage.fill(BIG, Population(accounts=options.accounts))
        stage.fill(SMALL, Population(accounts=options.small))
        figures = measure(stage, options)
        show_moves(figures, options)
        show_backfill(stage, options)
        show_workers(stage, options)
        stage.drop(WORK)
        show_memory(stage, options)
        show_idle(stage, options)
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")


def read_options() -> argparse.Namespace:
    """Return the sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="A tenth, in one round; the bounds are for all."
    )
    parser.add_argument("--accounts", type=int, help="How many; default 3,000,000.")
    parser.add_argument("--small", type=int, default=30_000, help="What they are compared with.")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rate", type=float, default=100, help="Requests a second of them all.")
    parser.add_argument("--rounds", type=int, help="How often each runs, in turn; default 3.")
    options = parser.parse_args()
    options.accounts = options.accounts or (300_000 if options.quick else 3_000_000)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def check_disk(accounts: int) -> None:
    """Say so before it is full: two copies of the tables, what their updates add, and the log."""
    needed = accounts * 1_000 + 10**9
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        place = f"{tempfile.gettempdir()} (TMPDIR)"
        sys.exit(f"{place} has {free / 1e9:.1f} GB free; this takes {needed / 1e9:.1f} GB.")


def about(stage: Stage) -> str:
    """Say what the figures were taken on."""
    with psycopg.connect(stage.url()) as connection:
        version = connection.execute("SHOW server_version").fetchone()[0]
        durable = connection.execute("SHOW fsync").fetchone()[0]
    load = os.getloadavg()[0]
    return (
        f"PostgreSQL {version} as initdb leaves it (fsync {durable}), "
        f"{os.cpu_count()} cores, load average {load:.1f}"
    )


def measure(stage: Stage, options: argparse.Namespace) -> dict[str, list[Figures]]:
    """Run every move on the same state, in turn; the portable path, which is slow, once."""
    figures: dict[str, list[Figures]] = {name: [] for name in NAMES}
    for name in ("alone", *("raw", "single", "ledger") * options.rounds, "portable"):
        one = figure(stage, name, options)
        figures[name].append(one)
        print(f"{row(NAMES[name], one)}   load {os.getloadavg()[0]:.1f}", flush=True)
    return figures


def figure(stage: Stage, name: str, options: argparse.Namespace) -> Figures:
    """Run one move beside the clients, and prove that every due row was changed once."""
    population = Population(accounts=options.accounts)
    stage.copy(BIG, WORK)
    url = stage.url(WORK)
    with Clients(url, population, count=options.clients, rate=options.rate) as clients:
        time.sleep(LEAD)
        did = wait() if name == "alone" else move(stage, name)
    waits = [seconds * 1000 for seconds in clients.between(did["start"], did["end"])]
    changed, paid = did["changed"], sum(answer.paid for answer in clients.answers)
    if name != "alone" and changed + paid != population.due:
        sys.exit(f"{name}: {changed:,} changed and {paid:,} paid are not {population.due:,} due")
    rate = changed / (did["end"] - did["start"])
    return Figures(rate, at(waits, 0.50), at(waits, 0.99), waits[-1])


def wait() -> dict[str, Any]:
    """Leave the clients to themselves."""
    start = time.monotonic()
    time.sleep(10 * LEAD)
    return {"start": start, "end": time.monotonic(), "changed": 0}


def move(stage: Stage, name: str) -> dict[str, Any]:
    """Run one move in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.moves", name]
    return json.loads(
        subprocess.run(
            command, cwd=ROOT, env=stage.environment(WORK), stdout=subprocess.PIPE, check=True
        ).stdout
    )


def at(values: Sequence[float], share: float) -> float:
    """Return a percentile by the nearest rank; ``values`` are in their order."""
    return values[math.ceil(share * len(values)) - 1]


def row(name: str, one: Figures, ratio: float | None = None) -> str:
    """Return a line of the table."""
    rate = f"{one.rate:10,.0f}" if one.rate else f"{'-':>10}"
    share = f"{ratio:8.2f}" if ratio else " " * 8
    return f"{name:<26}{rate}{share}{one.p50:12,.1f}{one.p99:12,.1f}{one.worst:12,.1f}"


def show_moves(figures: dict[str, list[Figures]], options: argparse.Namespace) -> None:
    """Print the medians, and what they are held against."""
    medians = {name: Figures.median(all_) for name, all_ in figures.items()}
    raw, single, ledger = (medians[name] for name in ("raw", "single", "ledger"))
    print(
        f"\n{options.accounts // 3:,} due rows of {options.accounts:,}; {options.clients} clients, "
        f"{options.rate:g} updates a second; medians of {options.rounds} run(s)\n"
        f"{'':<26}{'rows/s':>10}{'of raw':>8}{'client p50':>12}{'p99 ms':>12}{'worst ms':>12}"
    )
    for name, one in medians.items():
        print(row(NAMES[name], one, one.rate / raw.rate))
    print()
    verdict("rows/s of the ledger, of raw", ledger.rate / raw.rate, at_least=0.8)
    verdict("the portable path, of raw", medians["portable"].rate / raw.rate, at_least=0.4)
    verdict("worst wait, of .update()'s", ledger.worst / single.worst, at_most=1 / 50)
    verdict("client p99 in ms", ledger.p99, at_most=20)


def show_backfill(stage: Stage, options: argparse.Namespace) -> None:
    """Print what a backfill with a computed value costs, with nobody beside it."""
    rates: dict[str, list[float]] = {name: [] for name in BACKFILL}
    for name in list(BACKFILL) * options.rounds:
        stage.copy(BIG, WORK)
        rates[name].append(rate_of(move(stage, name)))
    medians = {name: statistics.median(all_) for name, all_ in rates.items()}
    raw = medians["raw_names"]
    print(f"\n{options.accounts // 3:,} names from another table, the old ones kept")
    for name, rate in medians.items():
        print(f"{BACKFILL[name]:<34}{rate:10,.0f} rows/s {rate / raw:8.2f}")
    verdict("rows/s of the backfill, of raw", medians["names"] / raw, at_least=0.4)


def show_workers(stage: Stage, options: argparse.Namespace) -> None:
    """Print how fast several processes share the rows of one job, with nobody beside them."""
    print(f"\nexpire_trials with workers on {os.cpu_count()} cores, {options.accounts // 3:,} due")
    alone = 0.0
    for count in WORKERS:
        stage.copy(BIG, WORK)
        with ThreadPoolExecutor(count) as pool:
            done = list(pool.map(lambda _: move(stage, "ledger"), range(count)))
        changed = sum(one["changed"] for one in done)
        seconds = max(one["end"] for one in done) - min(one["start"] for one in done)
        if changed != options.accounts // 3:
            sys.exit(f"{count} workers changed {changed:,} of {options.accounts // 3:,}")
        alone = alone or changed / seconds
        print(
            f"{count} worker(s) {changed / seconds:22,.0f} rows/s {changed / seconds / alone:8.2f}"
        )


def rate_of(did: dict[str, Any]) -> float:
    """Return the rows a second of a move."""
    rate: float = did["changed"] / (did["end"] - did["start"])
    return rate


def show_memory(stage: Stage, options: argparse.Namespace) -> None:
    """Print the most memory that the command takes over many accounts, and over few."""
    big, small = (
        memory(stage, database, accounts // 3)
        for database, accounts in ((BIG, options.accounts), (SMALL, options.small))
    )
    print(
        f"\nmanage.py expire_trials, a third due: {big / 1024:.1f} MB at {options.accounts:,} "
        f"accounts, {small / 1024:.1f} MB at {options.small:,}"
    )
    verdict("peak memory, of few accounts'", big / small, at_most=1.1)


def memory(stage: Stage, database: str, due: int) -> int:
    """Run the command to its end and return the most memory that it had, in the system's unit."""
    command = [sys.executable, MANAGE, "expire_trials", f"--allow={due}", "--reason=benchmark"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=stage.environment(database), stdout=subprocess.DEVNULL
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}")
    return usage.ru_maxrss


def show_idle(stage: Stage, options: argparse.Namespace) -> None:
    """Print what the command costs when nothing is due, as autovacuum leaves the tables."""
    commands = []
    for database in (BIG, SMALL):
        stage.execute("VACUUM ANALYZE", database=database)
        env = [f"{name}={value}" for name, value in stage.variables(database).items()]
        commands.append(["env", *env, sys.executable, MANAGE, "expire_trials"])
    pair = compare(*commands)
    print(
        f"\nmanage.py expire_trials, nothing due: {pair.first * 1e3:.0f} ms at "
        f"{options.accounts:,} accounts, {pair.second * 1e3:.0f} ms at {options.small:,}"
    )
    verdict("whole process, of few accounts'", pair.ratio, at_most=1.1)


def verdict(
    what: str, value: float, *, at_most: float | None = None, at_least: float | None = None
) -> None:
    """Print a figure beside its bound."""
    within = value >= at_least if at_least is not None else value <= at_most
    bound = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
    print(f"{what:<34}{value:10.3f}   {bound:<14} {'within' if within else 'OUTSIDE'}")


if __name__ == "__main__":
    main()
