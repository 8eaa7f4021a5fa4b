"""How the jobs' commands spell times, durations, columns and JSON."""

import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django_runbook.text.cleaning import clean, one_line

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def as_json(value: Any) -> str:
    """Return JSON with times in ISO 8601 and durations in seconds."""
    return json.dumps(value, default=_plain)


def moment(at: datetime.datetime | None) -> str:
    """Return a time in UTC to the minute, as slots are named."""
    return f"{at.astimezone(datetime.UTC):%Y-%m-%dT%H:%MZ}" if at else "-"


def second(at: datetime.datetime | None) -> str:
    """Return a time in UTC to the second."""
    return f"{at.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}" if at else "-"


def duration(length: float | datetime.timedelta) -> str:
    """Return seconds in the two largest units: ``0.3 s``, ``4 min 10 s``, ``7 h 12 min``."""
    seconds = length.total_seconds() if isinstance(length, datetime.timedelta) else length
    seconds = round(seconds, 1)
    if seconds < UNITS[-2][0]:
        return f"{seconds:.1f} s"
    rest, parts = int(seconds), []
    for size, unit in UNITS:
        count, rest = divmod(rest, size)
        parts.append((count, unit))
    first = next(index for index, (count, _unit) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def aligned(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> Iterator[str]:
    """Yield rows as lines with aligned columns; those numbered in ``right`` hold numbers."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numbers = set(right)
    for row in rows:
        cells = (
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield clean("  ".join(cells).rstrip())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime.datetime) else str(value)
