"""The tables of the jobs' commands.

Columns are as wide as what stands in them, and nothing is cut: a narrow terminal wraps a line.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from django_runbook.jobs.ledger.history import RunState
from django_runbook.jobs.management.formats import aligned, duration, moment
from django_runbook.jobs.models import Status
from django_runbook.jobs.watch.status import Health, JobState
from django_runbook.text.cleaning import one_line, unbroken

HOW = {
    Status.RUNNING: "has been running since",
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.STOPPED: "was stopped early",
    Status.REFUSED: "was refused",
    Status.LOST: "was lost",
}


def history_lines(runs: Sequence[RunState], *, folded: bool) -> list[str]:
    """Return a line for each run; ``folded`` puts slot, who and notes on a second one."""
    head = ("run", "job", "status", "started (UTC)", "took", "due", "changed", "batches")
    rows: list[tuple[str, ...]] = [head, *(_row(run) for run in runs)]
    tails = ["slot, who, note", *(one_line("; ".join(notes(run))) for run in runs)]
    right = (0, 4, 5, 6, 7)
    if not folded:
        rows = [(*row, tail) for row, tail in zip(rows, tails, strict=True)]
        return list(aligned(rows, right=right))
    indent = " " * (max(len(row[0]) for row in rows) + 2)
    first, *lines = aligned(rows, right=right)
    pairs = zip(lines, tails[1:], strict=True)
    return [first, *chain.from_iterable((line, indent + tail) for line, tail in pairs)]


def notes(run: RunState) -> Iterator[str]:
    """Yield what there is to say of a run beside its numbers."""
    if run.slot:
        yield f"slot {moment(run.slot)}"
    yield run.who
    if run.undone_by:
        how = "undone" if run.undone else "partly undone"
        yield f"{how} by run {', '.join(map(str, run.undone_by))}"
    if run.undoes:
        yield f"undo of run {run.undoes}"
    if run.continues:
        yield f"continues run {run.continues}"
    if run.allow is not None:
        yield f"allowed {run.allow:,}: {one_line(run.allow_reason)}"
    if run.reason:
        yield one_line(run.reason)


def job_lines(jobs: Sequence[JobState]) -> list[str]:
    """Return a line for each job."""
    head = ("job", "schedule", "next slot", "last run")
    rows = ((j.job, _schedule(j), moment(j.next_slot), _last(j)) for j in jobs)
    return list(aligned([head, *rows]))


def health_lines(health: Health) -> list[str]:
    """Return a line for each finding with what mends it, or one that all is well."""
    job = health.job
    found = []
    if missed := health.missed:
        more = f", and {missed.more:,} after it" if missed.more else ""
        found.append(
            f"{job} missed its slot {moment(missed.slot)} by {duration(missed.late)} "
            f"(grace {duration(health.grace)}){more}  ->  inv jobs.run {job}"
        )
    if failed := health.failed:
        why = f" ({one_line(failed.reason)})" if failed.reason else ""
        found.append(f"{job}: {_ended(failed)}{why}  ->  inv jobs.show {failed.run}")
    if overdue := health.overdue:
        found.append(
            f"{job}: {overdue.model} {overdue.pk} has been due since {moment(overdue.due_since)}, "
            f"for {duration(overdue.age)}, and is the oldest  ->  inv jobs.run {job}"
        )
    if found:
        return [unbroken(f"WRONG  {line}") for line in found]
    last = _ended(health.last) if health.last else "no run yet"
    coming = f"next slot {moment(health.next_slot)}" if health.next_slot else "no schedule"
    return [unbroken(f"OK     {job}: {last}; {coming}")]


def _row(run: RunState) -> tuple[str, ...]:
    return (
        str(run.run),
        run.job,
        str(run.status),
        moment(run.started)[:-1].replace("T", " "),
        duration(run.seconds),
        "-" if run.due is None else f"{run.due:,}",
        f"{run.changed:,}",
        f"{run.batches:,}",
    )


def _schedule(job: JobState) -> str:
    if not job.declared:
        return "not declared"
    return f"{job.cron} {job.timezone}" if job.cron else "no schedule"


def _last(job: JobState) -> str:
    return f"{_ended(job.last)}, by {job.last.who}" if job.last else "none"


def _ended(run: RunState) -> str:
    return f"run {run.run} {HOW[Status(run.status)]} {moment(run.started)}"
