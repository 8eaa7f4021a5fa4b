"""`inv jobs.*`: the jobs and their ledger."""

from pathlib import Path

from invoke import Collection, Context, Exit

from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.processes.process import become, manage, options, typed
from django_runbook.tasks.summaries import markdown

GROUP = "Jobs"
RUN = "The number of a run, as inv jobs.history shows it."
JOB = "The job, such as expire_trials."
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
        "slots": "Each slot of a time that nobody has done: FROM..TO, times or dates.",
        "again": "Take a slot over that is done; with --reason.",
        "reason": "Why; it is kept in the ledger.",
        "helps": "Help with the slot and do not claim it: for several pods.",
        "max-seconds": "End the command after this long (default: the job's timeout_minutes).",
        "json": "Print one JSON object; what the command prints goes to standard error.",
    },
)
def run(
    c: Context,
    name: str | None = None,
    slot: str | None = None,
    slots: str | None = None,
    again: bool = False,
    reason: str | None = None,
    helps: bool = False,
    max_seconds: str | None = None,
    json: bool = False,
) -> None:
    """Run any command as a job: NAME -- ARGUMENTS (run_job)."""
    if not name or name.startswith("-"):
        raise Exit("Say which command, as in: inv jobs.run expire_trials", code=2)
    which = options(slot=slot, slots=slots, again=again, reason=reason, helps=helps)
    chosen = [*which, *options(max_seconds=max_seconds, json=json)]
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
    help={
        "run": RUN,
        "ids": "Print the keys of its rows, one a line.",
        "failed": "Print the rows that it could not change, each with its error.",
        "json": JSON,
    },
)
def show(
    c: Context, run: str | None = None, ids: bool = False, failed: bool = False, json: bool = False
) -> None:
    """Show a run, and what next where it failed (show_run)."""
    number = _number(run, "inv jobs.show 12")
    chosen = options(ids=ids, failed=failed, json=json)
    become(c, manage(c, "show_run", number, *chosen, *typed()))


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


@task(
    operands=("run",),
    passes_on=True,
    help={"run": RUN, "reason": "Why; it is kept in the ledger.", "json": JSON},
)
def stop(c: Context, run: str | None = None, reason: str | None = None, json: bool = False) -> None:
    """Let a run end after its batch (stop_run)."""
    number = _number(run, "inv jobs.stop 12")
    become(c, manage(c, "stop_run", number, *options(reason=reason, json=json), *typed()))


@task(
    passes_on=True,
    help={
        "keep-days": "Keep runs so many days after their end (default: as declared).",
        "dry-run": "Say how many would go; change nothing.",
        "confirm": "The database's name: answers the question that a protected target asks.",
        "max-seconds": "Stop after this long, with exit code 4; the same again goes on.",
        "json": JSON,
    },
)
def prune(
    c: Context,
    keep_days: str | None = None,
    dry_run: bool = False,
    confirm: str | None = None,
    max_seconds: str | None = None,
    json: bool = False,
) -> None:
    """Remove runs that are kept no longer (prune_runs)."""
    chosen = options(
        keep_days=keep_days, dry_run=dry_run, confirm=confirm, max_seconds=max_seconds, json=json
    )
    become(c, manage(c, "prune_runs", *chosen, *typed()))


@task(
    passes_on=True,
    help={"notify": "Tell those of [tool.django-runbook.notify] what was found.", "json": JSON},
)
def status(c: Context, notify: bool = False, json: bool = False) -> None:
    """Fail where a job is late or has failed (job_status)."""
    become(c, manage(c, "job_status", *options(notify=notify, json=json), *typed()))


@task(
    operands=("name",),
    passes_on=True,
    help={
        "name": JOB,
        "until": "When it ends by itself, as in 2026-03-01T04:00Z (default: with jobs.resume).",
        "reason": "Why; it is kept in the ledger.",
        "json": JSON,
    },
)
def pause(
    c: Context,
    name: str | None = None,
    until: str | None = None,
    reason: str | None = None,
    json: bool = False,
) -> None:
    """Let no run of a job begin for a while (pause_job)."""
    named = _named(name, 'inv jobs.pause expire_trials --reason "new prices"')
    if not reason:
        raise Exit('Say why, as in: inv jobs.pause expire_trials --reason "new prices"', code=2)
    chosen = options(until=until, reason=reason, json=json)
    become(c, manage(c, "pause_job", named, *chosen, *typed()))


@task(operands=("name",), passes_on=True, help={"name": JOB, "json": JSON})
def resume(c: Context, name: str | None = None, json: bool = False) -> None:
    """End the pause of a job (resume_job)."""
    named = _named(name, "inv jobs.resume expire_trials")
    become(c, manage(c, "resume_job", named, *options(json=json), *typed()))


@task(passes_on=True, help={"json": JSON})
def notify_test(c: Context, json: bool = False) -> None:
    """Try each way in which somebody is told (notify_test)."""
    become(c, manage(c, "notify_test", *options(json=json), *typed()))


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


def _named(name: str | None, example: str) -> str:
    """Return the name of a job. Raises ``Exit`` with code 2 where there is none."""
    if not name or name.startswith("-"):
        raise Exit(f"Say which job, as in: {example}", code=2)
    return name


def _number(run: str | None, example: str) -> str:
    """Return the number of a run. Raises ``Exit`` with code 2 for what is none."""
    if not run or not run.isdecimal():
        what = f"'{run}' is no number of a run" if run else "Something is missing"
        raise Exit(f"{what}, as in: {example}", code=2)
    return run


TASKS = (run, history, show, undo, status, explain, preflight, prune, pause, resume, notify_test)
collection = Collection("jobs", *TASKS, stop, summary)
collection.add_task(list_jobs, name="list")
