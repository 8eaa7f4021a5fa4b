"""How a try of going back is told."""

from collections.abc import Iterator

from django_runbook.schema.fingerprints.differences import Difference, Differences
from django_runbook.schema.review.rollback import Outcome, RollbackCheck, Tried
from django_runbook.schema.wording import detail, flat
from django_runbook.text.cleaning import in_clean_lines

WORDS = {
    Outcome.SAME: "ok",
    Outcome.DIFFERS: "differs",
    Outcome.IRREVERSIBLE: "irreversible",
    Outcome.FAILED: "failed",
    Outcome.ELSEWHERE: "not here",
}
ENGINES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


@in_clean_lines
def tried_lines(each: Tried) -> Iterator[str]:
    """Yield the line of one migration on one engine, and one for each thing that is wrong."""
    yield (
        f"{WORDS[each.outcome]:<12}  {each.migration} on {ENGINES[each.vendor]} "
        f"({each.seconds:.1f} s)"
    )
    for reason in each.reasons:
        yield f"  {reason}"
    yield from _differences("back", each.back)
    yield from _differences("forward again", each.again)


def verdict(found: RollbackCheck) -> str:
    """Return the last line."""
    names = dict.fromkeys(each.migration for each in found.tried)
    if not names:
        return "Nothing to try."
    if found.failing:
        return f"Cannot be rolled back: {', '.join(found.failing)}."
    return f"{len(names)} {'migration' if len(names) == 1 else 'migrations'} can be rolled back."


def _differences(step: str, found: Differences) -> Iterator[str]:
    for each in found.logical:
        yield f"  {step}: {_logical(each)}"
    for each in found.names:
        yield (
            f"  {step}, only the name: {each.kind} {each.left or '(no name)'}"
            f" is called {each.right or '(no name)'}"
        )
    for each in found.order:
        yield f"  {step}, only the order: columns of {each.table} stand as {each.right}"


def _logical(each: Difference) -> str:
    place = f" on {each.table}" if each.table and each.kind != "table" else ""
    thing = f"{each.kind} {each.name or '(no name)'}{place}"
    if each.kind == "table":
        thing = f"table {each.table}"
    if each.right is None:
        return f"{thing} is missing{detail(each.left)}"
    if each.left is None:
        return f"{thing} is too much{detail(each.right)}"
    return f"{thing} was {flat(each.left)}, is {flat(each.right)}"
