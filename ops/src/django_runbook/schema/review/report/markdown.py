"""A plan for a pull request, within what GitHub takes."""

import html
from collections.abc import Iterable, Iterator
from enum import IntEnum

from django_runbook.schema.review.findings.severity import spelled
from django_runbook.schema.review.plan import MigrationPlan, Plan, Rehearsal, Risk
from django_runbook.schema.review.report import phrases
from django_runbook.schema.wording import counted
from django_runbook.text.cleaning import clean, one_line

#: In bytes: a step summary, and a comment, whose limit is 65,536 characters.
SUMMARY = 1024 * 1024
COMMENT = 65_536
#: Kept free for what the workflow puts around it.
MARGIN = 1_024
#: What means something inside a line; without brackets there is no link.
MARKUP = "\\`*_[]#|~"
#: An @ that calls nobody.
NOBODY = ("@", "@&#8203;")


class Detail(IntEnum):
    """How much is shown; the first that fits is taken."""

    ALL = 0
    SQL_OF_RISKY = 1
    RISKS = 2
    DANGERS = 3


LEFT_OUT = {
    Detail.SQL_OF_RISKY: "the SQL of migrations without a danger",
    Detail.RISKS: "the SQL",
    Detail.DANGERS: "the SQL, and all risks but the dangers",
}


def markdown(plan: Plan, limit: int = SUMMARY) -> str:
    """Return a plan in GitHub's Markdown, of at most ``limit`` bytes.

    What does not fit is left out in whole parts, and a line says so: the SQL first, the dangers
    that fail the review last.
    """
    room = limit - MARGIN
    for detail in Detail:
        text = _page(plan, [_migration(it, detail) for it in plan.migrations], detail)
        if len(text.encode()) <= room:
            return text
    blocks = [_migration(it, Detail.DANGERS) for it in plan.migrations]
    while blocks and (excess := len(text.encode()) - room) > 0:
        while blocks and excess > 0:
            excess -= len(blocks.pop().encode())
        text = _page(plan, blocks, Detail.DANGERS)
    return text


def escaped(text: str) -> str:
    """Return a text on one line that Markdown shows as it is, and that mentions nobody."""
    return "".join(f"\\{it}" if it in MARKUP else it for it in _html(text)).replace(*NOBODY)


def _html(text: str) -> str:
    return html.escape(one_line(text), quote=False)


def fenced(statements: Iterable[str]) -> str:
    """Return SQL in a fence that is longer than any in it."""
    text = "\n".join(clean(statement) for statement in statements)
    longest = run = 0
    for it in text:
        run = run + 1 if it == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sql\n{text}\n{fence}\n"


def _page(plan: Plan, blocks: list[str], detail: Detail) -> str:
    parts = [f"## {phrases.headline(plan)}\n"]
    if plan.migrations:
        parts.append(f"{escaped(phrases.made_on(plan))}.\n")
    if detail:
        parts.append(f"> Cut to what GitHub takes: left out is {LEFT_OUT[detail]}.\n")
    parts += [f"> {escaped(note)}\n" for note in plan.notes]
    parts += blocks
    if missing := len(plan.migrations) - len(blocks):
        parts.append(f"> {counted(missing, 'more migration')} left out.\n")
    if took := phrases.took(plan):
        parts.append(f"<sub>{took}</sub>\n")
    return "\n".join(parts)


def _migration(migration: MigrationPlan, detail: Detail) -> str:
    failing = [risk for risk in migration.risks if risk.fails]
    shown = failing if detail is Detail.DANGERS else migration.risks
    name, tally = _html(phrases.title(migration)).replace(*NOBODY), phrases.tally(migration.risks)
    parts = [
        f"<details{' open' if failing else ''}>\n<summary><b>{name}</b>: {tally}</summary>\n",
        f"{escaped(phrases.file(migration))}\n",
        *(f"{line}\n" for line in ["\n".join(it for risk in shown for it in _risk(risk))] if line),
    ]
    if detail is Detail.ALL or (detail is Detail.SQL_OF_RISKY and failing):
        for operation in migration.operations:
            parts.append(f"**{operation.index + 1}.** {escaped(operation.description)}\n")
            parts.append(fenced(operation.statements or ("-- no SQL",)))
        if migration.closing:
            parts += ["**At the end**\n", fenced(migration.closing)]
    if migration.rehearsal and detail <= Detail.SQL_OF_RISKY:
        parts += _rehearsal(migration.rehearsal)
    return "\n".join([*parts, "</details>\n"])


def _risk(risk: Risk) -> Iterator[str]:
    where = "" if risk.operation is None else f", operation {risk.operation + 1}"
    yield (
        f"- **{risk.severity.name}** {escaped(risk.rule)} ({escaped(risk.source)}{where}): "
        f"{escaped(risk.reason)}"
    )
    for word, text in phrases.risk_lines(risk):
        yield f"  - {word.lower()}: {escaped(text)}"


def _rehearsal(rehearsal: Rehearsal) -> Iterator[str]:
    if rehearsal.effects:
        rows = [
            f"| {it.operation + 1} | {escaped(it.table)} | {it.rows:,} "
            f"| {escaped(spelled(it.lock)) or '-'} | {'yes' if it.rewritten else '-'} "
            f"| {it.scanned:,} | {it.changed:,} |"
            for it in rehearsal.effects
        ]
        yield "\n".join(
            [
                "| operation | table | rows | lock | rewritten | rows read | rows changed |",
                "| --: | :-- | --: | :-- | :-- | --: | --: |",
                *rows,
                "",
            ]
        )
    if rehearsal.error:
        yield f"The rehearsal failed: {escaped(rehearsal.error)}\n"
    for gap in rehearsal.gaps:
        yield f"Not rehearsed: {escaped(gap)}\n"
