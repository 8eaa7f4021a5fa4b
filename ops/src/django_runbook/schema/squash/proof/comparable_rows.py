"""All rows of a database in a form that can be compared, whatever numbers the keys came out as.

Surrogate keys are left out, and a reference stands for the row that it points to: two rows are one
and the same where all that they say, and all that those say that they point to, is equal. Content
types and permissions need no rule of their own: they are compared by label, model and codename.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

#: Rounds of following references; a longer way than this tells no rows apart any more.
ROUNDS = 12
SHOWN = 60

Unstable = Mapping[tuple[str, str], frozenset[str]]
Values = dict[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of one table: each column's value as text, keys included.

    ``key`` is the surrogate key's column, ``references`` what a column points to.
    """

    columns: tuple[str, ...]
    key: str | None
    references: Mapping[str, tuple[str, str]]
    rows: tuple[Values, ...] = field(repr=False)


Rows = Mapping[str, Table]


@dataclass(frozen=True, kw_only=True)
class RowDifference:
    """Rows of a table that are on one side alone: how many, and one of them."""

    table: str
    lost: int
    added: int
    example: str


def read(connection: BaseDatabaseWrapper) -> Rows:
    """Return every row of every table but that of the applied migrations."""
    applied = MigrationRecorder.Migration._meta.db_table
    with connection.cursor() as cursor:
        return {
            name: _table(connection, cursor, name)
            for name in connection.introspection.table_names(cursor)
            if name != applied and not name.startswith("sqlite_")  # its statistics
        }


def count(rows: Rows) -> int:
    """Return how many rows there are."""
    return sum(len(table.rows) for table in rows.values())


def unstable(one: Rows, other: Rows) -> Unstable:
    """Return the columns in which two runs of the same path differ, with what they share there.

    Such values are random, or the time: ``differences`` compares no more than their types.
    """
    return {
        (name, column): frozenset(value for value in ours & theirs if value is not None)
        for name in one.keys() & other.keys()
        for column in one[name].columns
        if (ours := _seen(one[name], column)) != (theirs := _seen(other[name], column))
    }


def differences(old: Rows, new: Rows, masked: Unstable | None = None) -> tuple[RowDifference, ...]:
    """Return the tables whose rows are not the same multiset; those that say so themselves first.

    Columns that one side lacks are not compared: that is a difference of the schema.
    """
    shared = {
        name: sorted(set((old.get(name) or new[name]).columns) & set(both.columns))
        for name, both in sorted({**old, **new}.items())
    }
    left, right = (_Forms(side, shared, masked or {}) for side in (old, new))
    own = [*_compare(left, right)]
    seen = {difference.table for difference in own}
    distinct = 0
    for _ in range(ROUNDS):
        before, distinct = distinct, len(left.follow() | right.follow())
        if distinct == before:
            break
    return (*own, *(found for found in _compare(left, right) if found.table not in seen))


class _Forms:
    """The forms of one side's rows: what a row says itself, then what it says by reference too."""

    def __init__(self, rows: Rows, columns: Mapping[str, list[str]], masked: Unstable) -> None:
        self._rows = rows
        self._masked = masked
        self.columns = columns
        self.own = {
            name: [_digest(self.shown(name, row)) for row in table.rows]
            for name, table in rows.items()
        }
        self.forms = self.own
        self._index = {
            target: {
                row[target[1]]: number
                for number, row in enumerate(rows[target[0]].rows)
                if target[1] in row
            }
            for target in {to for table in rows.values() for to in table.references.values()}
            if target[0] in rows
        }

    def shown(self, name: str, row: Values) -> list[tuple[str, str | None]]:
        """Return what a row says itself, without keys and references."""
        table = self._rows[name]
        return [
            (column, self._mask(name, column, row[column]))
            for column in self.columns[name]
            if column != table.key and column not in table.references
        ]

    def row(self, name: str, number: int) -> Values:
        """Return the values of a row."""
        return self._rows[name].rows[number]

    def follow(self) -> set[str]:
        """Let each row say what those say that it points to; return all forms that there are."""
        self.forms = {
            name: [
                _digest([self.own[name][number], *self._targets(name, row)])
                for number, row in enumerate(table.rows)
            ]
            for name, table in self._rows.items()
        }
        return {form for forms in self.forms.values() for form in forms}

    def _targets(self, name: str, row: Values) -> Iterator[tuple[str, str | None]]:
        for column, target in sorted(self._rows[name].references.items()):
            if column not in self.columns[name]:
                continue
            number = self._index.get(target, {}).get(row[column])
            form = None if number is None else self.forms[target[0]][number]
            yield column, form or row[column]

    def _mask(self, name: str, column: str, value: str | None) -> str | None:
        kept = self._masked.get((name, column))
        if value is None or kept is None or value in kept:
            return value
        return f"<{value.partition(':')[0]}>"


def _compare(left: _Forms, right: _Forms) -> Iterator[RowDifference]:
    for name in left.columns:
        ours, theirs = (Counter(side.forms.get(name, ())) for side in (left, right))
        lost, added = ours - theirs, theirs - ours
        if lost or added:
            side, only = (left, lost) if lost else (right, added)
            number = next(at for at, form in enumerate(side.forms[name]) if form in only)
            said = side.shown(name, side.row(name, number))
            yield RowDifference(
                table=name,
                lost=lost.total(),
                added=added.total(),
                example=", ".join(f"{column}={_short(value)}" for column, value in said),
            )


def _table(connection: BaseDatabaseWrapper, cursor: Any, name: str) -> Table:
    introspection = connection.introspection
    keys = introspection.get_primary_key_columns(cursor, name) or []
    # Django 6.1 adds what happens on deletion.
    references = {
        column: (relation[1], relation[0])
        for column, relation in introspection.get_relations(cursor, name).items()
    }
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)}")  # noqa: S608  # quoted
    columns = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    surrogate = (
        len(keys) == 1
        and keys[0] not in references
        and all(isinstance(row[columns.index(keys[0])], int) for row in rows)
    )
    return Table(
        columns=tuple(columns),
        key=keys[0] if surrogate else None,
        references=references,
        rows=tuple(dict(zip(columns, map(_text, row), strict=True)) for row in rows),
    )


def _seen(table: Table, column: str) -> Counter[str | None]:
    if column == table.key or column in table.references:
        return Counter()
    return Counter(row.get(column) for row in table.rows)


def _text(value: Any) -> str | None:
    """Return a value as ``type:text``; the type stays when the text is masked."""
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"bytes:{bytes(value).hex()}"
    if isinstance(value, (dict, list)):
        return f"json:{json.dumps(value, sort_keys=True, default=str)}"
    return f"{type(value).__name__}:{value}"


def _short(value: str | None) -> str:
    text = "NULL" if value is None else value.partition(":")[2] or value
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _digest(parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()
