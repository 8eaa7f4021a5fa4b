"""Values for a column of any type: the same for the same number, and different for another."""

import datetime
import json
import re
import string
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django_runbook.schema.review.rehearsal.rows.tables import Column, Table

DAY = datetime.date(2020, 1, 1)
MOMENT = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
DIGITS = string.digits + string.ascii_lowercase
INTEGERS = {
    "smallint": 2**15,
    "integer": 2**31,
    "bigint": 2**63,
    "smallint unsigned": 2**15,
    "integer unsigned": 2**31,
    "bigint unsigned": 2**63,
}
#: What the first wide values are beyond, so that a narrower integer refuses them.
BEYOND = {"integer": 2**20, "bigint": 2**40, "integer unsigned": 2**20, "bigint unsigned": 2**40}
TEXTS = ("character varying", "character", "varchar", "char", "text", "citext", "bpchar", "")
LONG = 1000  # characters: many more would not fit into an index's row


def value(column: Column, number: int, *, wide: bool = False) -> Any:
    """Return what stands in a column, as JSON has it; None for a type that is not known.

    ``wide`` asks for a value near the column's limit, which a narrower type would refuse.
    """
    if column.labels:
        return column.labels[number % len(column.labels)]
    made = _plain(column, number, wide=wide)
    if made is not None and column.type.endswith("[]"):
        return [made]
    return made


def is_text(column: Column) -> bool:
    """Tell whether any string fits."""
    return column.base in TEXTS


def is_number(column: Column) -> bool:
    """Tell whether a number fits."""
    return column.base in INTEGERS or column.base in NUMBERS


def limit(column: Column) -> int | None:
    """Return how many different values there are, where those are few."""
    if column.labels:
        return len(column.labels)
    if column.base in {"boolean", "bool"}:
        return 2
    if is_text(column) and column.numbers and column.numbers[0] < len("12345"):
        return int(len(DIGITS) ** column.numbers[0])
    return None


def _plain(column: Column, number: int, *, wide: bool) -> Any:
    if column.base in INTEGERS:
        return number % INTEGERS[column.base] + (BEYOND.get(column.base, 0) if wide else 0)
    if is_text(column):
        return _shaped(column, number, wide=wide) or _text(column, number, wide=wide)
    if column.base in {"numeric", "decimal"}:
        return _decimal(column, number, wide=wide)
    known = SIMPLE.get(column.base)
    return known(number) if known else None


def _shaped(column: Column, number: int, *, wide: bool) -> str:
    """Return text of a shape that code may rely on, by what the model's field says that it is."""
    kind = column.field.get_internal_type() if column.field else ""
    if kind not in SHAPES:
        return ""
    made = SHAPES[kind](number)
    length = _length(column)
    if kind in STRETCHED and wide:
        made = made.ljust(length, "x")
    return made if len(made) <= length else ""


def _text(column: Column, number: int, *, wide: bool) -> str:
    """Return text without a space: names, paths and slugs are often checked for one."""
    length = _length(column)
    made = f"text-{number}" if length >= len("text-1234567") else _digits(number)[-length:]
    return made.ljust(length, "x") if wide else made


def _length(column: Column) -> int:
    return min(column.numbers[0] if column.numbers else LONG, LONG)


def _digits(number: int) -> str:
    made = DIGITS[number % len(DIGITS)]
    while number := number // len(DIGITS):
        made = DIGITS[number % len(DIGITS)] + made
    return made


def _decimal(column: Column, number: int, *, wide: bool) -> str:
    precision, scale = (*column.numbers, 0)[:2] if column.numbers else (12, 2)
    if wide:
        number = 10**precision - 1 - number % 10 ** min(precision, 4)
    else:
        number = number % 10**precision
    made = str(number).rjust(scale + 1, "0")
    return made[: len(made) - scale] + (f".{made[-scale:]}" if scale else "")


def _moment(number: int) -> str:
    return (MOMENT + datetime.timedelta(minutes=number)).isoformat(" ")


def _naive(number: int) -> str:
    return _moment(number).partition("+")[0]


def _day(number: int) -> str:
    return (DAY + datetime.timedelta(days=number % 100_000)).isoformat()


def _time(number: int) -> str:
    minutes = number % (24 * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{number // (24 * 60) % 60:02}"


def _address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _bytes(number: int) -> str:
    return rf"\x{number:08x}"


def _uuid(number: int) -> str:
    return str(uuid.UUID(int=number + 1, version=4))


SIMPLE: dict[str, Callable[[int], Any]] = {
    "boolean": lambda number: number % 2 == 0,
    "bool": lambda number: number % 2,
    "real": lambda number: number + 0.5,
    "double precision": lambda number: number + 0.5,
    "money": str,
    "date": _day,
    "datetime": _naive,
    "timestamp": _naive,
    "timestamp without time zone": _naive,
    "timestamp with time zone": _moment,
    "time": _time,
    "time without time zone": _time,
    "time with time zone": lambda number: f"{_time(number)}+00",
    "interval": lambda number: f"{number} minutes",
    "uuid": _uuid,
    "json": lambda number: {"key": number},
    "jsonb": lambda number: {"key": number},
    "bytea": _bytes,
    "blob": lambda number: _bytes(number).encode(),
    "inet": _address,
    "cidr": lambda number: f"{_address(number)}/32",
    "macaddr": lambda number: (
        f"08:00:2b:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
    ),
    "tsvector": lambda number: f"word{number}",
    "xml": lambda number: f"<n>{number}</n>",
    "int4range": lambda number: f"[{number * 2},{number * 2 + 1})",
    "int8range": lambda number: f"[{number * 2},{number * 2 + 1})",
    "numrange": lambda number: f"[{number * 2},{number * 2 + 1})",
    "daterange": lambda number: f"[{_day(number * 2)},{_day(number * 2 + 1)})",
    "tsrange": lambda number: f"[{_naive(number * 2)},{_naive(number * 2 + 1)})",
    "tstzrange": lambda number: f"[{_moment(number * 2)},{_moment(number * 2 + 1)})",
    "hstore": lambda number: f'"key"=>"{number}"',
    "ltree": lambda number: f"top.n{number}",
}
NUMBERS = ("numeric", "decimal", "real", "double precision")
SHAPES: dict[str, Callable[[int], str]] = {
    "EmailField": lambda number: f"person{number}@example.org",
    "URLField": lambda number: f"https://example.org/{number}",
    "SlugField": lambda number: f"slug-{number}",
    "GenericIPAddressField": _address,
    "UUIDField": lambda number: _uuid(number).replace("-", ""),
    "JSONField": lambda number: json.dumps({"key": number}),
}
STRETCHED = ("EmailField", "URLField", "SlugField")


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
