"""What is said of a plan, of waiting, of what was done, and of where a failure leaves it."""

from collections.abc import Iterator, Sequence

from django_runbook.schema.apply.blockers import without_literals
from django_runbook.schema.apply.steps import (
    Holder,
    LockWait,
    Point,
    Reason,
    Standing,
    Step,
)
from django_runbook.schema.history.graph import Key
from django_runbook.schema.wording import counted
from django_runbook.text.cleaning import in_clean_lines, unbroken

MANY = 20  # lines
SLOWEST = 3
COMMAND = "inv db.migrate"


@in_clean_lines
def plan(steps: Sequence[tuple[Key, bool]], where: str) -> Iterator[str]:
    """Yield the migrations in the order in which they come."""
    if not steps:
        return
    word = "undo" if steps[0][1] else "apply"
    yield f"{counted(len(steps), 'migration')} to {word} on {where}, in this order:"
    shown = steps if len(steps) <= MANY else steps[: MANY - 1]
    for key, _ in shown:
        yield f"  {'.'.join(key)}"
    if len(shown) < len(steps):
        yield f"  and {len(steps) - len(shown)} more (--plan shows all)"


@in_clean_lines
def summary(steps: Sequence[Step]) -> Iterator[str]:
    """Yield what was done, with times."""
    if len(steps) <= MANY:
        for step in steps:
            yield _done(step)
    if len(steps) > 1:
        seconds = sum(step.seconds for step in steps)
        word = "Undid" if steps[0].backwards else "Applied"
        word = "Recorded" if all(step.faked for step in steps) else word
        line = f"{word} {counted(len(steps), 'migration')} in {seconds:.2f} s"
        if len(steps) > MANY:
            slowest = sorted(steps, key=lambda step: -step.seconds)[:SLOWEST]
            line += f"; the slowest: {', '.join(f'{s} {s.seconds:.2f} s' for s in slowest)}"
        yield line


def waiting(wait: LockWait) -> str:
    """Return for what is waited, and for whom."""
    return unbroken(f"Waiting for a lock on {wait.on} ({wait.mode}): {held_by(wait)}")


def held_by(wait: LockWait) -> str:
    """Return who holds a lock, the first of them."""
    more = f" and {len(wait.holders) - 1} more" if len(wait.holders) > 1 else ""
    return f"held by {_holder(wait.holders[0])}{more}"


def again(number: int, of: int, seconds: float) -> str:
    """Return what is said before another try."""
    return f"No lock, nothing of it was done: try {number} of {of} in {seconds:.1f} s"


def ended(standing: Standing, command: str, suffix: str = "") -> str:
    """Return where the database stands after a plan that did not come to its end, in some lines.

    ``command`` is what goes on, ``suffix`` what the command for going back needs as well.
    """
    point = standing.point
    lines = [_what(standing)]
    if point:
        lines += _half_done(point)
    undo = point.backwards if point else any(step.backwards for step in standing.done)
    word = "Undone" if undo else "Applied"
    lines.append(f"{word} before that: {', '.join(map(str, standing.done)) or 'nothing'}.")
    if standing.left:
        lines.append(f"Not done: {', '.join(standing.left)}.")
    lines.append(_next(standing, command, suffix))
    return "\n".join(map(unbroken, lines))


def _what(standing: Standing) -> str:
    point = standing.point
    if point is None:
        return f"Stopped between two migrations: {standing.message}."
    name = ".".join(point.migration)
    end = _end(point)
    if standing.reason is Reason.STOPPED:
        return f"Stopped by {standing.message} in {name}{_at(point)}; {end}"
    if standing.reason is Reason.NO_LOCK:
        times = f"{standing.tries} tries" if standing.tries > 1 else "one try"
        who = f", {held_by(standing.wait)}" if standing.wait else ""
        on = f" on {standing.wait.on}" if standing.wait else ""
        return f"{name} got no lock{on} in {times}{_at(point)}{who}; {end}"
    place = f" ({point.place})" if point.place else ""
    return f"{name} failed{_at(point)}: {standing.message}{place}; {end}"


def _at(point: Point) -> str:
    """Return at which operation it was."""
    if point.closing:
        return " after its last operation"
    if point.operation is None:
        return " before its first operation"
    number, of = point.operation + 1, len(point.operations)
    return f" at operation {number} of {of} ({point.operations[point.operation]})"


def _end(point: Point) -> str:
    """Return what became of the migration itself."""
    if point.recorded is None:
        return "the database cannot be asked what became of it: 'inv db.show' will."
    if point.atomic:
        return "it was rolled back."
    if not point.half_done and point.remains:
        return (
            "nothing of it was done now, but a run that was broken off can have left a part of it."
        )
    if not point.half_done:
        return "nothing of it was done."
    if not (point.written or point.closing):
        return "it has no transaction, and what became of it is unknown:"
    return "it has no transaction, and is half done:"


def _half_done(point: Point) -> list[str]:
    """Return which operations of a migration without a transaction were completed."""
    if not point.half_done:
        return []
    order = list(enumerate(point.operations, 1))
    at = point.operation or 0
    if point.backwards:
        order.reverse()
        at = len(order) - 1 - at
    done = order if point.closing else order[:at]
    lines = [f"  {number}. {said}: completed" for number, said in done]
    if not point.closing:
        lines.append(f"  {order[at][0]}. {order[at][1]}: {_begun(point)}")
    if point.broken:
        lines.append(f"  Unknown, as the connection was lost: {without_literals(point.broken)}")
    lines += [f"  Left for the end, not done: {statement}" for statement in point.held_back]
    lines += [
        f"  Invalid index: {index}. Drop it: DROP INDEX CONCURRENTLY {index}"
        for index in point.invalid
    ]
    if point.backwards:
        return [
            *lines,
            "Do again by hand what was undone; or undo the rest and record it (--fake).",
        ]
    return [
        *lines,
        (
            "Undo by hand what was completed; or complete the rest by hand and run "
            f"'{COMMAND} {' '.join(point.migration)} -- --fake'."
        ),
    ]


def _begun(point: Point) -> str:
    """Return how far the operation had come that was begun last."""
    if not point.statements:
        return "begun"
    last = without_literals(point.last)
    if point.statements == 1:
        return f"begun, 1 statement completed: {last}"
    return f"begun, {counted(point.statements, 'statement')} completed, the last: {last}"


def _next(standing: Standing, command: str, suffix: str) -> str:
    goes_on = {
        Reason.FAILED: f"Mend it, then run '{command}'.",
        Reason.NO_LOCK: f"Run '{command}' again when the lock is free.",
        Reason.STOPPED: f"'{command}' goes on.",
    }[standing.reason]
    if standing.point and standing.point.half_done:
        goes_on = f"Then run '{command}'."
    if not standing.done:
        return goes_on
    if standing.no_way_back:
        return f"{goes_on} There is no way back: {standing.no_way_back[0]} cannot be undone."
    back = ", then ".join(f"'{COMMAND} {app} {name}{suffix}'" for app, name in standing.back)
    return f"{goes_on} To go back: {back}."


def _done(step: Step) -> str:
    if step.faked:
        return f"Recorded {step} as {'undone' if step.backwards else 'applied'}, without running it"
    return f"{'Undid' if step.backwards else 'Applied'} {step} in {step.seconds:.2f} s"


def _holder(holder: Holder) -> str:
    if not holder.pid:
        return "a prepared transaction"
    parts = [f"pid {holder.pid}", holder.application, holder.state]
    said = ", ".join(part for part in parts if part) + f" for {holder.seconds:.0f} s"
    return f"{said} ({holder.query})" if holder.query else said
