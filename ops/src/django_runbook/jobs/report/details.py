"""One run, or one row's story, line by line."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django_runbook.jobs.ledger.pauses import paused_text
from django_runbook.jobs.ledger.reading.details import RunDetails
from django_runbook.jobs.ledger.reading.said import said
from django_runbook.jobs.models import Status
from django_runbook.jobs.report.formats import duration, moment, second
from django_runbook.jobs.watch.explanations import RowChange, Story
from django_runbook.jobs.watch.status import is_slot
from django_runbook.text.cleaning import clean, one_line

BROKEN = "(broken in the ledger)"


def run_lines(details: RunDetails) -> Iterator[str]:
    """Yield everything about a run, a line for each thing, and what to do next."""
    for name, value in run_facts(details).items():
        yield f"{name:<12}{value}"
    if details.output:
        yield "output, its end:"
        yield from (f"  {line}" for line in clean(details.output).splitlines())


def run_facts(details: RunDetails) -> dict[str, str]:
    """Return everything about a run but its output, by name, and what to do next."""
    run = details.state
    words = _words(details.arguments)
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
        "parameters": _named(details.parameters),
        "arguments": BROKEN if words is None else shlex.join(words),
        "change": change_text(details.change),
        "due": run.due is not None and f"{run.due:,}",
        "changed": f"{run.changed:,}",
        "failed": details.failed and f"{details.failed:,} row(s) could not be changed",
        "batches": _batches(details),
        "allowed": run.allow is not None and f"{run.allow:,}: {one_line(run.allow_reason)}",
        "continues": run.continues and f"run {run.continues}",
        "asked": details.stop_asked
        and f"to end, {second(details.stop_asked)}, by {one_line(run.stop_reason)}",
        "undo of": run.undoes and f"run {run.undoes}",
        "undone by": run.undone_by and f"run {', '.join(map(str, run.undone_by))}",
        "next": next_step(details),
    }
    return {name: one_line(value) for name, value in facts.items() if value}


def next_step(details: RunDetails) -> str:
    """Return the command that goes on from a run that did not come to its end; empty for others."""
    run = details.state
    if run.status in (Status.SUCCEEDED, Status.RUNNING, Status.SKIPPED):
        return ""
    if details.settled_by:
        return f"nothing: run {details.settled_by} has succeeded since"
    if details.failed:
        return f"inv jobs.show {run.run} --failed"
    if run.undoes:
        return f"inv jobs.undo {run.undoes}"
    slot = f"--slot={moment(run.slot)}" if run.slot and is_slot(run.job, run.slot) else ""
    given = _words(details.arguments) or ()
    words = shlex.join(given)
    if run.status == Status.REFUSED and run.due:
        others = shlex.join(_without_allowance(given))
        words = f'{others} --allow {run.due} --reason "..."'.strip()
    return " ".join(filter(None, (f"inv jobs.run {run.job}", slot, words and f"-- {words}")))


def _words(arguments: Any) -> list[str] | None:
    """Return the words of a command; None where the ledger is broken."""
    is_right = isinstance(arguments, list) and all(isinstance(word, str) for word in arguments)
    return list(arguments) if is_right else None


def _without_allowance(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command but ``--allow`` and ``--reason``, with their values."""
    rest = iter(words)
    for word in rest:
        option, equals, _value = word.partition("=")
        if option not in {"--allow", "--reason"}:
            yield word
        elif not equals:
            next(rest, None)


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
    elif story.paused:
        yield one_line(f"No run of {story.job} will change it: it is {paused_text(story.paused)}.")
    else:
        yield f"The next run of {story.job} after that will change it; it has no schedule."


def change_text(change: Mapping[str, Any]) -> str:
    """Return from what to what a run changed rows, and of which model."""
    found = said(change)
    if found is None:
        return BROKEN if change else ""
    kept = [f"{name} row by row" for name in found.kept]
    fields = [_fields(found.was, found.to)] if found.to else []
    return f"{found.model}: {', '.join([*fields, *kept])}"


def _changed(change: RowChange) -> str:
    how = f"took run {change.undoes} back" if change.undoes else "changed it"
    fields = _fields(change.was, change.to) or BROKEN
    return f"Run {change.run} of {change.job} {how} at {second(change.at)}: {fields}."


def _fields(was: Mapping[str, Any], to: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {was.get(name, '?')} -> {value}" for name, value in to.items())


def _named(values: Any) -> str:
    if not isinstance(values, dict):
        return BROKEN
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _batches(details: RunDetails) -> str:
    sizes = details.sizes
    if sizes is None:
        return str(details.state.batches)
    return (
        f"{details.state.batches:,} of {sizes.smallest:,} to {sizes.largest:,} rows, "
        f"from {second(sizes.first)} to {second(sizes.last)}"
    )
