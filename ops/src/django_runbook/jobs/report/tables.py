"""The tables of the jobs' commands.

Columns are as wide as what stands in them, and nothing is cut: a narrow terminal wraps a line.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django_runbook.jobs.ledger.pauses import PauseState, paused_text
from django_runbook.jobs.ledger.reading.history import RunState
from django_runbook.jobs.models import Status
from django_runbook.jobs.report.formats import aligned, duration, moment, widths
from django_runbook.jobs.watch.status import Health, JobState
from django_runbook.text.cleaning import one_line, unbroken

HOW = {
    Status.RUNNING: "has been running since",
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.STOPPED: "was stopped early",
    Status.REFUSED: "was refused",
    Status.SKIPPED: "was skipped",
    Status.LOST: "was lost",
}
HISTORY = ("run", "job", "status", "started (UTC)", "took", "due", "changed", "batches")
NUMBERS = (0, 4, 5, 6, 7)
#: Runs whose columns are as wide as each other's; they are shown before more are read.
TOGETHER = 500


def history_lines(runs: Iterable[RunState], *, columns: int | None = None) -> Iterator[str]:
    """Yield a line for each run, as they come; nothing where none comes.

    Where the lines do not fit into the ``columns`` of a terminal, slot, who and notes stand on a
    second one. A column grows where a later run needs it.
    """
    rows: list[tuple[str, ...]] = [HISTORY]
    tails, wide = ["slot, who, note"], [0] * len(HISTORY)
    coming, folded = iter(runs), None
    while page := list(islice(coming, TOGETHER)):
        rows += [_row(run) for run in page]
        tails += [one_line("; ".join(notes(run))) for run in page]
        wide = widths(rows, wide)
        if not folded:
            both = [(*row, tail) for row, tail in zip(rows, tails, strict=True)]
            lines = list(aligned(both, right=NUMBERS, least=wide))
        if folded is None:
            folded = columns is not None and max(map(len, lines)) > columns
        yield from _folded(rows, tails, wide) if folded else lines
        rows, tails = [], []


def _folded(rows: Sequence[Sequence[str]], tails: Sequence[str], wide: list[int]) -> Iterator[str]:
    """Yield two lines for each row; the head has one."""
    for row, line, tail in zip(rows, aligned(rows, right=NUMBERS, least=wide), tails, strict=True):
        yield line
        if row is not HISTORY:
            yield f"{'':{wide[0] + 2}}{tail}"


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
    if run.stop_reason and run.status == Status.RUNNING:
        yield f"ends after its batch: {one_line(run.stop_reason)}"
    if run.reason:
        yield one_line(run.reason)


def pause_lines(pauses: Sequence[PauseState]) -> list[str]:
    """Return a line for each pause: from when to when, by whom, why, and who ended it."""
    return [unbroken(_pause(pause)) for pause in pauses]


def job_lines(jobs: Sequence[JobState]) -> list[str]:
    """Return a line for each job."""
    head = ("job", "schedule", "next slot", "last run")
    rows = ((j.job, _schedule(j), moment(j.next_slot), _last(j)) for j in jobs)
    return list(aligned([head, *rows]))


def health_lines(health: Health) -> list[str]:
    """Return a line for each finding with what mends it, or one that all is well."""
    job = health.job
    found = [*_findings(health)]
    if slow := health.slow:
        found.append(
            f"SLOW   {job}: {_ended(slow.run)}, for {duration(slow.lasts)}, three times its usual "
            f"{duration(slow.usual)}  ->  inv jobs.show {slow.run.run}"
        )
    if health.forgotten and health.paused:
        found.append(f"WARN   {job}: {_paused(health)}, without an end  ->  inv jobs.resume {job}")
    if found:
        return list(map(unbroken, found))
    last = _ended(health.last) if health.last else "no run yet"
    if health.last and health.last.status == Status.STOPPED:
        last += ", and the next one goes on"
    if waiting := health.waiting:
        last += f"; slot {moment(waiting)} may be done until {moment(waiting + health.grace)}"
    coming = f"next slot {moment(health.next_slot)}" if health.next_slot else "no schedule"
    if health.paused:
        last, coming = f"{_paused(health)}; {last}", coming if health.next_slot else "no next slot"
    return [unbroken(f"OK     {job}: {last}; {coming}")]


def _findings(health: Health) -> Iterator[str]:
    """Yield what is wrong with a job."""
    job = health.job
    if missed := health.missed:
        more = f", and {missed.more:,} after it" if missed.more else ""
        yield (
            f"WRONG  {job} missed its slot {moment(missed.slot)} by {duration(missed.late)} "
            f"(grace {duration(health.grace)}){more}  ->  inv jobs.run {job}"
        )
    if failed := health.failed:
        why = f" ({one_line(failed.reason)})" if failed.reason else ""
        yield f"WRONG  {job}: {_ended(failed)}{why}  ->  inv jobs.show {failed.run}"
    if stopped := health.stopped:
        yield (
            f"WRONG  {job}: {_ended(stopped)}, and nobody has gone on with it  ->  "
            f"inv jobs.show {stopped.run}"
        )
    if overdue := health.overdue:
        row = overdue.model if overdue.pk is None else f"{overdue.model} {overdue.pk}"
        yield (
            f"WRONG  {job}: {row} has been due since {moment(overdue.due_since)}, "
            f"for {duration(overdue.age)}, and is the oldest  ->  inv jobs.run {job}"
        )


def _paused(health: Health) -> str:
    return paused_text(health.paused) if health.paused else ""


def _pause(pause: PauseState) -> str:
    until = f" until {moment(pause.until)}" if pause.until else ""
    ended = f"; resumed {moment(pause.end)} by {pause.resumed_by}" if pause.resumed_by else ""
    since = f"{pause.job} paused since {moment(pause.since)}{until}"
    return f"{since} by {one_line(pause.who)}: {one_line(pause.reason)}{ended}"


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
    last = f"{_ended(job.last)}, by {job.last.who}" if job.last else "none"
    return f"{last}; {paused_text(job.paused)}" if job.paused else last


def _ended(run: RunState) -> str:
    return f"run {run.run} {HOW[Status(run.status)]} {moment(run.started)}"
