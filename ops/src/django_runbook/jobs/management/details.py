"""One run, or one row's story, line by line."""

from collections.abc import Iterator, Mapping
from typing import Any

from django_runbook.jobs.ledger.history import RunDetails
from django_runbook.jobs.management.formats import duration, moment, second
from django_runbook.jobs.models import Status
from django_runbook.jobs.watch.explanations import RowChange, Story
from django_runbook.text.cleaning import clean, one_line


def run_lines(details: RunDetails) -> Iterator[str]:
    """Yield everything about a run, a line for each thing, and what to do next."""
    run = details.state
    where = f"{details.user}@{details.host}, process {details.pid}"
    facts = {
        "run": f"{run.run} of {run.job}",
        "status": f"{run.status}: {one_line(run.reason)}" if run.reason else run.status,
        "slot": run.slot and moment(run.slot),
        "started": second(run.started),
        "heartbeat": run.status in (Status.RUNNING, Status.LOST) and second(details.heartbeat),
        "finished": run.finished and second(run.finished),
        "took": duration(run.seconds),
        "who": f"{where}, {details.ci_url}" if details.ci_url else where,
        "token": details.token,
        "exclusive": details.exclusive and "yes",
        "parameters": ", ".join(f"{name}={value}" for name, value in details.parameters.items()),
        "change": change_text(details.change),
        "due": run.due is not None and f"{run.due:,}",
        "changed": f"{run.changed:,}",
        "batches": _batches(details),
        "allowed": run.allow is not None and f"{run.allow:,}: {one_line(run.allow_reason)}",
        "continues": run.continues and f"run {run.continues}",
        "undo of": run.undoes and f"run {run.undoes}",
        "undone by": run.undone_by and f"run {', '.join(map(str, run.undone_by))}",
        "next": next_step(details),
    }
    for name, value in facts.items():
        if value:
            yield f"{name:<12}{one_line(value)}"
    if details.output:
        yield "output, its end:"
        yield from (f"  {line}" for line in clean(details.output).splitlines())


def next_step(details: RunDetails) -> str:
    """Return the command that goes on from a run that did not come to its end; empty for others."""
    run = details.state
    if run.status in (Status.SUCCEEDED, Status.RUNNING):
        return ""
    if details.settled_by:
        return f"nothing: run {details.settled_by} has succeeded since"
    if run.undoes:
        return f"inv jobs.undo {run.undoes}"
    allow = f' -- --allow {run.due} --reason "..."' if run.status == Status.REFUSED else ""
    return f"inv jobs.run {run.job}{allow if run.due else ''}"


def story_lines(story: Story) -> Iterator[str]:
    """Yield why a row did or did not change, what runs did to it, and when it will change."""
    yield from map(one_line, story.lines)
    for change in story.changes:
        yield one_line(_changed(change))
    if not story.changes:
        yield "No run in the ledger has changed it."
    if story.due_from is None:
        yield f"As it stands, no run of {one_line(story.job)} will change it."
    elif story.next_slot:
        yield f"{story.job} will change it at {moment(story.next_slot)}, as it stands."
    else:
        yield f"The next run of {story.job} after that will change it; it has no schedule."


def change_text(change: Mapping[str, Any]) -> str:
    """Return from what to what a run changed rows, and of which model."""
    return f"{change['model']}: {_fields(change['was'], change['to'])}" if change else ""


def _changed(change: RowChange) -> str:
    how = f"took run {change.undoes} back" if change.undoes else "changed it"
    fields = _fields(change.was, change.to)
    return f"Run {change.run} of {change.job} {how} at {second(change.at)}: {fields}."


def _fields(was: Mapping[str, Any], to: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {was.get(name, '?')} -> {value}" for name, value in to.items())


def _batches(details: RunDetails) -> str:
    sizes = details.sizes
    if sizes is None:
        return str(details.state.batches)
    return (
        f"{details.state.batches:,} of {sizes.smallest:,} to {sizes.largest:,} rows, "
        f"from {second(sizes.first)} to {second(sizes.last)}"
    )
