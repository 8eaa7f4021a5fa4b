"""The tasks of this repository: the kit's, and the product's own. `./inv` lists them."""

import json
import os
import sys
from pathlib import Path

from invoke import Collection, Context, Exit

from django_runbook.tasks import kit, process, target, task

ROOT = Path(__file__).resolve().parent
BENCHMARKS = ("tasks", "jobs", "ledger", "pages")
DEMO = ROOT / "var" / "demo.sqlite3"
DEMO_IS = {
    "ENVIRONMENT": "demo",
    "DEBUG": "true",
    "DATABASE_URL": f"sqlite:///{DEMO.relative_to(ROOT)}",
}
DEMO_USER = ("createsuperuser", "--noinput", "--username=demo", "--email=demo@example.com")
#: The file of .env.example. Another one that is not there is misspelt, as the command says.
EMBEDDED = ROOT / "var" / "db.sqlite3"


@task(
    passes_on=True,
    help={
        "dry-run": "Say how many are due; change nothing.",
        "as-of": "Expire what was due at this time, as in 2026-03-01T04:00Z (default: now).",
        "max-seconds": "Stop after this long, between two batches, with exit code 4.",
        "allow": "Let a run pass that the limits refuse, of at most this many rows; with --reason.",
        "reason": "Why; it is kept in the ledger.",
        "json": "Print the result as one JSON object.",
    },
)
def expire(
    c: Context,
    dry_run: bool = False,
    as_of: str | None = None,
    max_seconds: str | None = None,
    allow: str | None = None,
    reason: str | None = None,
    json: bool = False,
) -> None:
    """Expire the trials that are over (expire_trials)."""
    at = target.ask(c)
    known = Path(at.database) == EMBEDDED or Path(at.database).is_file()
    if at.unapplied and at.embedded and known and not at.protected:
        if not process.is_dry(c):
            print(f"Applying {len(at.unapplied)} migration(s) to {at.database}", file=sys.stderr)
        process.run(c, process.manage(c, "migrate", "--verbosity=0"))
    options = process.options(
        dry_run=dry_run,
        as_of=as_of,
        max_seconds=max_seconds,
        allow=allow,
        reason=reason,
        json=json,
    )
    process.become(c, process.manage(c, "expire_trials", *options, *process.typed()))


@task(help={"accounts": "How many sample accounts to make."})
def demo(c: Context, accounts: int = 5_000) -> None:
    """Show the daily job on sample data."""
    from secrets import token_urlsafe  # here, because listing the tasks needs no keys

    env = {"ENV_FILE": os.devnull, **DEMO_IS, "SECRET_KEY": token_urlsafe(50)}

    def step(*command: str, **more: str) -> None:
        if not process.is_dry(c):
            print(f"$ manage.py {' '.join(command)}", flush=True)
        process.run(c, process.manage(c, *command), {**env, **more})

    def summary() -> dict[str, int]:
        asked = process.manage(c, "account_summary", "--json")
        counts: dict[str, int] = json.loads(process.probe(c, asked, env))
        return counts

    if not process.is_dry(c):
        for file in DEMO.parent.glob(f"{DEMO.name}*"):
            file.unlink()
    step("migrate", "--verbosity=0")
    step("create_sample_accounts", f"--count={accounts}")
    step("expire_trials", "--dry-run")
    before = {} if process.is_dry(c) else summary()
    step("expire_trials")
    if not process.is_dry(c):
        _show(before, summary())
    step("undo_run", "1")
    step("expire_trials")
    step("job_history")
    # In the environment: a process list shows arguments to everybody.
    password = token_urlsafe(9)
    step(*DEMO_USER, DJANGO_SUPERUSER_PASSWORD=password)
    if not process.is_dry(c):
        settings = " ".join(f"{name}={value}" for name, value in DEMO_IS.items())
        print(
            f"The demo's database is {DEMO.relative_to(ROOT)}. To look at its jobs:\n"
            f"$ {settings} ./inv dev.serve\n"
            f"http://127.0.0.1:8000/admin/ as demo, with the password {password}"
        )


@task(
    operands=("what",),
    passes_on=True,
    help={"what": f"One of {', '.join(BENCHMARKS)} (default: tasks)."},
)
def bench(c: Context, what: str = "tasks") -> None:
    """Measure tasks, jobs, ledger or pages, side by side."""
    if what not in BENCHMARKS:
        raise Exit(f"There is no benchmark '{what}': {', '.join(BENCHMARKS)}.", code=2)
    module = f"tests.benchmarks.bench_{what}"
    process.become(c, [sys.executable, "-m", module, *process.typed()])


@task(help={"folder": "Where the pictures go (default: docs/images)."})
def screenshots(c: Context, folder: str = "docs/images") -> None:
    """Take the pictures of docs/admin.md in a real browser."""
    process.become(c, [sys.executable, "-m", "tests.browser.screenshots", folder])


@task(help={"folder": "Where the files go (default: dist)."})
def build(c: Context, folder: str = "dist") -> None:
    """Make the kit's sdist and wheel, and look what they hold."""
    process.become(c, [sys.executable, str(ROOT / "ops/release.py"), folder])


def _show(before: dict[str, int], after: dict[str, int]) -> None:
    """Draw the accounts in each status, before and after."""
    from rich.console import Console
    from rich.table import Table

    table = Table("status")
    for column in ("before", "after", "change"):
        table.add_column(column, justify="right")
    for status, count in before.items():
        change = after[status] - count
        table.add_row(status, f"{count:,}", f"{after[status]:,}", f"{change:+,}" if change else "")
    Console().print(table)


ns = kit(ROOT, dotenv=True)
ns.add_task(expire)
ns.add_task(demo)
ns.add_task(bench)
ns.add_collection(Collection("docs", screenshots))
ns.add_collection(Collection("release", build))
