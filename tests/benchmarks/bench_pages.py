"""What the pages of the jobs cost over the admin's own index page: ``inv bench pages``."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict

from tests.benchmarks.pairs import ROOT, environment
from tests.benchmarks.stage import MANAGE, Stage

ACCOUNTS = 1_000


def main() -> None:
    """Print each page beside the index page, on SQLite and on PostgreSQL."""
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # it does without
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options)
        return
    with tempfile.TemporaryDirectory() as folder, Stage() as stage:
        stage.execute('CREATE DATABASE "pages"')
        for url in (f"sqlite:///{folder}/pages.sqlite3", stage.url("pages")):
            show(url, options)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")


def show(url: str, options: argparse.Namespace) -> None:
    """Fill a database, and print what the pages of its ledger cost."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "backend")))
    settings = {"DJANGO_SETTINGS_MODULE": "project.settings", "PYTHONPATH": path}
    env = {**environment(), "DATABASE_URL": url, "ENVIRONMENT": "test", **settings}
    env |= {"DEBUG": "false", "ALLOWED_HOSTS": "testserver"}
    run(env, MANAGE, "migrate", "--verbosity=0")
    run(env, MANAGE, "create_sample_accounts", f"--count={ACCOUNTS}")
    sizes = (f"--runs={options.runs}", f"--rounds={options.rounds}")
    figures = json.loads(run(env, "-m", "tests.benchmarks.bench_pages", "--measure", *sizes))
    print(f"{url.partition(':')[0]}: {options.runs:,} runs; medians of {options.rounds}, in turn")
    print(f"{'':<22}{'queries':>8}{'over index':>12}{'ms':>9}{'over index':>12}")
    index = next(iter(figures.values()))
    for name, one in figures.items():
        queries, time = (one[key] - index[key] for key in ("queries", "milliseconds"))
        verdict = "ok" if queries < one["most"] and time < one["longest"] else "MISSED"
        print(
            f"{name:<22}{one['queries']:8}{queries:+12}{one['milliseconds']:9.1f}{time:+12.1f}"
            f"   {verdict}: below {one['most']} and {one['longest']} ms"
        )
    print()


def measure(options: argparse.Namespace) -> None:
    """Fill the ledger of this process's database, and print the figures as JSON."""
    import django

    django.setup()

    from django.db import connection

    from tests.benchmarks import ledgers, pages_seen

    ledgers.fill(connection, options.runs, batches=True)
    bounds = {"most": pages_seen.QUERIES, "longest": pages_seen.MILLISECONDS}
    seen = pages_seen.seen(options.rounds)
    print(json.dumps({name: {**asdict(one), **bounds} for name, one in seen.items()}))


def run(env: Mapping[str, str], *argv: str) -> str:
    """Run Python to its end, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *argv], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{argv} ended with {done.returncode}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
