"""How the jobs spell times, durations, columns and JSON."""

import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
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


def aligned(
    rows: Sequence[Sequence[str]], *, right: Iterable[int] = (), least: Sequence[int] = ()
) -> Iterator[str]:
    """Yield rows as lines with aligned columns; those numbered in ``right`` hold numbers.

    ``least`` is how wide the columns are at the least.
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    numbers, wide = set(right), widths(rows, least)
    for row in rows:
        cells = (
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, wide, strict=True))
        )
        yield clean("  ".join(cells).rstrip())


def widths(rows: Sequence[Sequence[str]], least: Sequence[int] = ()) -> list[int]:
    """Return how wide the columns of some rows are, and ``least`` at the least."""
    found = [max(len(one_line(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return [max(both) for both in zip_longest(found, least, fillvalue=0)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime.datetime) else str(value)
