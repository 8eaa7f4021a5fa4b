"""`inv jobs.*`: the jobs and their ledger."""

import json
from pathlib import Path
from typing import Any

from invoke import Collection, Context, Exit

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes.process import become, manage, options, typed

GROUP = "Jobs"
RUN = "The number of a run, as inv jobs.history shows it."
JSON = "Print nothing but JSON."


@task(passes_on=True, help={"json": JSON})
def list_jobs(c: Context, json: bool = False) -> None:
    """List the jobs: schedule, next slot, last run (list_jobs)."""
    become(c, manage(c, "list_jobs", *options(json=json), *typed()))


@task(
    operands=("name",),
    passes_on=True,
    help={
        "name": "The management command, such as expire_trials.",
        "slot": "The slot that the run is for, or 'latest': no other run can do it again.",
        "max-seconds": "End the command after this long (default: the job's timeout_minutes).",
        "json": "Print one JSON object; what the command prints goes to standard error.",
    },
)
def run(
    c: Context,
    name: str | None = None,
    slot: str | None = None,
    max_seconds: str | None = None,
    json: bool = False,
) -> None:
    """Run any command as a job: NAME -- ARGUMENTS (run_job)."""
    if not name or name.startswith("-"):
        raise Exit("Say which command, as in: inv jobs.run expire_trials", code=2)
    chosen = options(slot=slot, max_seconds=max_seconds, json=json)
    rest = ["--", *typed()] if typed() else []
    become(c, manage(c, "run_job", name, *chosen, *rest))


@task(
    operands=("name",),
    passes_on=True,
    help={"name": "The job; its declaration is read too.", "json": JSON},
)
def preflight(c: Context, name: str | None = None, json: bool = False) -> None:
    """Check what a job needs, the clock too (job_preflight)."""
    named = [name] if name else []
    become(c, manage(c, "job_preflight", *named, *options(json=json), *typed()))


@task(operands=("file",), help={"file": "What inv jobs.run NAME --json has printed."})
def summary(_c: Context, file: str | None = None) -> None:
    """Print what a run came to, in Markdown."""
    if not file:
        raise Exit("Say which file, as in: inv jobs.summary run.json", code=2)
    print(markdown(Path(file)), end="")


@task(
    passes_on=True,
    help={
        "job": "Runs of this job alone.",
        "count": "How many, newest first (default: 20).",
        "json": JSON,
    },
)
def history(
    c: Context, job: str | None = None, count: str | None = None, json: bool = False
) -> None:
    """Show the newest runs (job_history)."""
    become(c, manage(c, "job_history", *options(job=job, count=count, json=json), *typed()))


@task(
    operands=("run",),
    passes_on=True,
    help={"run": RUN, "ids": "Print the keys of its rows, one a line.", "json": JSON},
)
def show(c: Context, run: str | None = None, ids: bool = False, json: bool = False) -> None:
    """Show a run, and what next where it failed (show_run)."""
    number = _number(run, "inv jobs.show 12")
    become(c, manage(c, "show_run", number, *options(ids=ids, json=json), *typed()))


@task(
    operands=("run",),
    passes_on=True,
    help={
        "run": RUN,
        "confirm": "The database's name: answers the question that a protected target asks.",
        "max-seconds": "Stop after this long, with exit code 4; the same again goes on.",
        "json": JSON,
    },
)
def undo(
    c: Context,
    run: str | None = None,
    confirm: str | None = None,
    max_seconds: str | None = None,
    json: bool = False,
) -> None:
    """Put back what a run changed (undo_run)."""
    number = _number(run, "inv jobs.undo 12")
    chosen = options(confirm=confirm, max_seconds=max_seconds, json=json)
    become(c, manage(c, "undo_run", number, *chosen, *typed()))


@task(passes_on=True, help={"json": JSON})
def status(c: Context, json: bool = False) -> None:
    """Fail where a job is late or has failed (job_status)."""
    become(c, manage(c, "job_status", *options(json=json), *typed()))


@task(
    operands=("key",),
    passes_on=True,
    help={
        "key": "The row, such as an account's number, or its user's name or mail.",
        "job": "The job, where several explain rows.",
        "json": JSON,
    },
)
def explain(c: Context, key: str | None = None, job: str | None = None, json: bool = False) -> None:
    """Say why a row changed or not, and when (explain_job)."""
    if not key or key.startswith("-"):
        raise Exit("Say which row, as in: inv jobs.explain 17", code=2)
    become(c, manage(c, "explain_job", key, *options(job=job, json=json), *typed()))


def _number(run: str | None, example: str) -> str:
    """Return the number of a run. Raises ``Exit`` with code 2 for what is none."""
    if not run or not run.isdecimal():
        what = f"'{run}' is no number of a run" if run else "Something is missing"
        raise Exit(f"{what}, as in: {example}", code=2)
    return run


collection = Collection("jobs", run, history, show, undo, status, explain, preflight, summary)
collection.add_task(list_jobs, name="list")


ROWS = {
    "run": "run",
    "slot": "slot",
    "as_of": "as of",
    "due": "due",
    "changed": "changed",
    "batches": "batches",
    "seconds": "seconds",
    "limit": "a run would be refused",
    "next_slot": "next slot",
}
NOTHING = "It left no result: it was ended before it could say anything, or never began."


def markdown(file: Path) -> str:
    """Return the summary of the result that ``run_job --json`` has written to a file.

    Whatever was written, or nothing: there is a summary.
    """
    try:
        result = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        result = None
    if not isinstance(result, dict):
        return f"### No result\n\n{NOTHING}\n"
    lines = [f"### {_plain(result.get('job', 'Dry run'))}: {_headline(result)}", ""]
    if result.get("reason"):
        lines += [_plain(result["reason"]), ""]
    shown = [(title, result[key]) for key, title in ROWS.items() if _has(result, key)]
    lines += ["| | |", "|---|---|", *(f"| {title} | {_cell(value)} |" for title, value in shown)]
    lines += ["", *(f"- {_plain(warning)}" for warning in result.get("warnings", ()))]
    return "\n".join(lines).rstrip() + "\n"


def _headline(result: dict[str, Any]) -> str:
    if result.get("dry_run"):
        return "nothing was changed"
    return str(result.get("status", "no status")).lower()


def _has(result: dict[str, Any], key: str) -> bool:
    return result.get(key) not in (None, "")


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, int | float) else _plain(value)


def _plain(value: Any) -> str:
    """Return text that cannot become Markdown or HTML of its own: a reason is typed by anybody."""
    text = " ".join(str(value).split())
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#~!$&@" else char for char in text)
