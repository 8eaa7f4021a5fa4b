"""Values that a check constraint names itself: one of them is likely to be allowed."""

import re
from collections.abc import Sequence
from typing import Any

from ops.schema.plans.rows.types import Column, Table
from ops.schema.plans.rows.values import is_number, is_text

TEXT = re.compile(r"'((?:[^']|'')*)'")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")


def alternatives(table: Table, columns: Sequence[Column]) -> dict[str, tuple[Any, ...]]:
    """Return for each column that check constraints name what else may be tried there."""
    found: dict[str, tuple[Any, ...]] = {}
    for column in columns:
        if column.labels or column.name in table.foreign:
            continue
        about = [text for text in table.checks if re.search(rf"\b{re.escape(column.name)}\b", text)]
        values = [made for text in about for made in _fitting(column, text)]
        if values:
            found[column.name] = tuple(dict.fromkeys(values))
    return found


def _fitting(column: Column, text: str) -> list[Any]:
    texts = [found.replace("''", "'") for found in TEXT.findall(text)]
    if is_text(column):
        return texts
    if not is_number(column):
        return []
    numbers = [number for part in [text, *texts] for number in NUMBER.findall(part)]
    near = [int(float(number)) + more for number in numbers for more in (-1, 0, 1)]
    return [*near, 0, 1]
