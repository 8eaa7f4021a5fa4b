"""What risks mean for tables of production's size."""

from collections.abc import Sequence
from dataclasses import replace

from django_runbook.schema.database.sizes import Sizes, TableSize
from django_runbook.schema.review.findings.severity import spelled
from django_runbook.schema.review.findings.topics import CHANGING, LONG, TIME_ALONE
from django_runbook.schema.review.plan import Rehearsal, Risk, Severity, TableEffect

#: Below both, what takes time alone is done in a moment.
SMALL_ROWS = 10_000
SMALL_BYTES = 10 * 1024**2
UNITS = ("bytes", "kB", "MB", "GB", "TB")
STEP = 1024
TWO_DIGITS = 10


def at_sizes(risks: Sequence[Risk], rehearsal: Rehearsal | None, sizes: Sizes) -> tuple[Risk, ...]:
    """Return the risks with what they mean in the database of a snapshot.

    A risk that is one by the time alone that it takes is a note where the table is small there.
    """
    return tuple(_at_size(risk, rehearsal, sizes) for risk in risks)


def _at_size(risk: Risk, rehearsal: Rehearsal | None, sizes: Sizes) -> Risk:
    if risk.rule not in LONG | CHANGING or risk.severity is Severity.NOTE:
        return risk
    effects = [
        effect
        for effect in (rehearsal.effects if rehearsal else ())
        if effect.operation == risk.operation and risk.table in {"", effect.table}
    ]
    known = {e.table: sizes.tables[e.table] for e in effects if e.table in sizes.tables}
    if not known and risk.table in sizes.tables:
        known = {risk.table: sizes.tables[risk.table]}
    if not known:
        return risk
    table = max(known, key=lambda name: (known[name].bytes or 0, known[name].rows or 0))
    about = [effect for effect in effects if effect.table == table]
    text = _said(known[table], about, changing=risk.rule in CHANGING)
    if risk.rule in TIME_ALONE and all(_is_small(size) for size in known.values()):
        return replace(risk, severity=Severity.NOTE, at_size=f"{text}: done in a moment")
    return replace(risk, at_size=text)


def _is_small(size: TableSize) -> bool:
    return (
        size.rows is not None
        and size.rows < SMALL_ROWS
        and (size.bytes is None or size.bytes < SMALL_BYTES)
    )


def _said(size: TableSize, effects: Sequence[TableEffect], *, changing: bool) -> str:
    rewritten = any(effect.rewritten for effect in effects)
    lock = spelled(effects[0].lock) if effects else ""
    rows = "an unknown number of rows" if size.rows is None else f"{size.rows:,} rows"
    large = "" if size.bytes is None else readable(size.bytes)
    if not effects:
        return f"{rows}, {large}" if large else rows
    if changing:
        return f"changes {rows}" + (f" ({large})" if large else "")
    verb = "rewrites" if rewritten else "reads"
    what = f"{large} ({rows})" if large else rows
    return f"{verb} {what}" + (f" under {lock}" if lock else "")


def readable(size: int) -> str:
    """Return bytes as people say them: ``41 GB``."""
    number, unit = float(size), 0
    while number >= STEP and unit < len(UNITS) - 1:
        number, unit = number / STEP, unit + 1
    shown = f"{number:.0f}" if number >= TWO_DIGITS or not unit else f"{number:.1f}"
    return f"{shown} {UNITS[unit]}"
