"""A plan for the terminal."""

import textwrap
from collections.abc import Callable, Iterable, Iterator

from django_runbook.schema.review.plan import MigrationPlan, OperationPlan, Plan, Risk, Severity
from django_runbook.schema.review.report import phrases
from django_runbook.text.cleaning import clean, one_line, unbroken

Paint = Callable[[Severity, str], str]


def lines(
    plan: Plan, *, width: int | None = None, paint: Paint = lambda _severity, text: text
) -> Iterator[str]:
    """Yield a plan, line by line; sentences are wrapped at ``width`` characters where it is given.

    ``paint`` colours the word of a severity.
    """
    yield f"{phrases.headline(plan)}."
    if plan.migrations:
        yield unbroken(f"{phrases.made_on(plan)}.")
    for note in plan.notes:
        yield from _wrapped(f"Note: {note}", "", "  ", width)
    for migration in plan.migrations:
        yield ""
        yield from _migration(migration, width, paint)
    if took := phrases.took(plan):
        yield from ("", took)


def _migration(migration: MigrationPlan, width: int | None, paint: Paint) -> Iterator[str]:
    yield unbroken(f"{phrases.title(migration)}  {phrases.file(migration)}")
    yield from _risks(migration.risks, None, width, paint)
    if not migration.operations:
        yield "  No operations."
    for operation in migration.operations:
        yield from _operation(operation)
        yield from _risks(migration.risks, operation.index, width, paint)
        if migration.rehearsal:
            for effect in migration.rehearsal.effects:
                if effect.operation == operation.index:
                    yield unbroken(f"     {phrases.effect_words(effect)}")
    if migration.closing:
        yield "  At the end:"
        yield from _sql(migration.closing)
    if migration.rehearsal:
        if migration.rehearsal.error:
            yield from _wrapped(
                f"The rehearsal failed at {_place(migration)}: {migration.rehearsal.error}",
                "  ",
                "    ",
                width,
            )
        for gap in migration.rehearsal.gaps:
            yield from _wrapped(f"Not rehearsed: {gap}", "  ", "    ", width)


def _place(migration: MigrationPlan) -> str:
    failed = migration.rehearsal.failed if migration.rehearsal else None
    if failed is None or failed >= len(migration.operations):
        return "the end"
    return f"{failed + 1}. {migration.operations[failed].description}"


def _operation(operation: OperationPlan) -> Iterator[str]:
    yield f"  {operation.index + 1}. {one_line(operation.description)}"
    yield from _sql(operation.statements or ("-- no SQL",))


def _sql(statements: Iterable[str]) -> Iterator[str]:
    for statement in statements:
        for line in clean(statement).splitlines():
            yield f"       {line}".rstrip()


def _risks(
    risks: Iterable[Risk], operation: int | None, width: int | None, paint: Paint
) -> Iterator[str]:
    for risk in risks:
        if risk.operation == operation:
            word = risk.severity.name
            head, *rest = _wrapped(
                f"{word} {risk.rule} ({risk.source}): {risk.reason}", "     ", "       ", width
            )
            yield head.replace(word, paint(risk.severity, word), 1)
            yield from rest
            for name, text in phrases.risk_lines(risk):
                yield from _wrapped(f"{name}: {text}", "       ", "         ", width)


def _wrapped(text: str, first: str, later: str, width: int | None) -> list[str]:
    text = one_line(text)
    if width is None:
        return [first + text]
    wrapped = textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [clean(line) for line in wrapped]  # a word in the middle may now begin a line
