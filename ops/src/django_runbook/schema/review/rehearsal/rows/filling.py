"""Fills tables with made-up rows: parents first, the same ones in every run.

``hostile`` rows bring out what only rows bring out: NULL where it is allowed, the same value twice
where nothing forbids it, text of the full length, large numbers. The others are as harmless as can
be: nothing is NULL, every value differs, all are small.
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.apps.registry import Apps
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.review.rehearsal.rows.catalog import tables
from django_runbook.schema.review.rehearsal.rows.tables import Column, Filled, Table
from django_runbook.schema.review.rehearsal.rows.values import alternatives, limit, value
from django_runbook.schema.review.rehearsal.rows.writing import (
    Keys,
    counted,
    insert,
    keys_of,
    link,
    probed,
    quote,
)

#: How often rows are made up where constraints refuse them; the last are as plain as can be.
TRIES = 4
#: How an error ends that harmless rows do not bring out.
ONLY_HOSTILE = "; rows without NULL, duplicates and extremes pass"
#: Every third row is NULL, every fifth is wide, and three rows share a value.
NULLS, WIDE, SAME = 3, 5, 3

#: How often a second try takes what a check lists (``alternatives``).
MOSTLY = 0.8


def fill(
    connection: BaseDatabaseWrapper,
    apps: Apps,
    wanted: Mapping[str, int],
    *,
    hostile: bool = True,
) -> Filled:
    """Fill tables up with as many more rows each as ``wanted`` says, and commit.

    ``apps`` are the historical models: they know choices and the shapes of text. A table that
    cannot be filled is a gap, and no error.
    """
    known = tables(connection, apps)
    filling = _Filling(connection, known, hostile=hostile)
    with transaction.atomic(using=connection.alias):
        for name in _in_order(wanted, known):
            filling.fill(known[name], wanted[name])
        filling.link()
        connection.check_constraints()
    with connection.cursor() as cursor:
        for name in wanted:
            cursor.execute(f"ANALYZE {quote(name)}")
    return Filled(
        rows={name: counted(connection, name) for name in wanted}, gaps=tuple(filling.gaps)
    )


def _in_order(names: Iterable[str], known: Mapping[str, Table]) -> list[str]:
    """Return tables with those first that others refer to; within a circle, any."""
    left, ordered = sorted(names), []
    while left:
        ready = [name for name in left if not _needed(known[name]) & set(left) - {name}]
        ready = ready or [name for name in left if not known[name].parents & set(left) - {name}]
        ordered += ready or left[:1]
        left = [name for name in left if name not in ordered]
    return ordered


def _needed(table: Table) -> set[str]:
    """Return the tables without whose rows this one can have none."""
    strict = {column.name for column in table.columns if not column.nullable}
    return {parent for name, (parent, _) in table.foreign.items() if name in strict}


class _Filling:
    def __init__(
        self, connection: BaseDatabaseWrapper, known: Mapping[str, Table], *, hostile: bool
    ) -> None:
        self.gaps: list[str] = []
        self._connection = connection
        self._known = known
        self._hostile = hostile
        self._filled: set[str] = set()
        self._unlinked: list[tuple[Table, Column]] = []

    def fill(self, table: Table, rows: int) -> None:
        """Fill one table; what refers to a table without rows yet is linked later."""
        keys = {
            name: keys_of(self._connection, *target)
            for name, target in table.foreign.items()
            if target[0] in self._filled or target[0] not in self._known
        }
        columns = [self._known_type(column) for column in table.columns if not column.automatic]
        self._unlinked += [
            (table, column)
            for column in columns
            if column.name in table.foreign and column.name not in keys
        ]
        self._filled.add(table.name)
        possible = min([rows, *(len(keys[name]) for name in keys if {name} in table.uniques)])
        done, error = 0, ""
        for attempt in range(TRIES):
            maker = Maker(table, columns, keys, hostile=self._hostile, attempt=attempt)
            made = [maker.row(attempt * rows + number) for number in range(possible)]
            try:
                with transaction.atomic(using=self._connection.alias):
                    done += insert(self._connection, table, columns, made[: rows - done])
            except DatabaseError as refusal:
                error = str(refusal).partition("\n")[0]
            if done >= possible * 0.9:
                return
        if done < possible * 0.1:
            why = error or "its constraints refuse what is made up"
            self.gaps.append(f"{table.name}: {done} of {rows} rows could be made up: {why}.")

    def _known_type(self, column: Column) -> Column:
        if self._connection.vendor == "postgresql" and value(column, 0) is None:
            return probed(self._connection, column)
        return column

    def link(self) -> None:
        """Let half of the rows refer to others, where their table came first."""
        for table, column in self._unlinked:
            if column.nullable and {column.name} not in table.uniques:
                link(self._connection, table, column.name)


class Maker:
    """Makes rows of one table; the row of a number is always the same."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[Column],
        keys: Keys,
        *,
        hostile: bool,
        attempt: int = 0,
    ) -> None:
        self._columns = columns
        self._keys = keys
        self._hostile = hostile
        self._attempt = attempt
        self._foreign = table.foreign
        self._single = {name for names in table.uniques if len(names) == 1 for name in names}
        self._together = [sorted(names) for names in table.uniques if len(names) > 1]
        self._named = {column.name: column for column in columns}
        self._alternatives = alternatives(table, columns)

    def row(self, number: int) -> tuple[Any, ...]:
        """Return the row of a number, a value for each column."""
        return tuple(
            self._value(column, place, number) for place, column in enumerate(self._columns)
        )

    def _value(self, column: Column, place: int, number: int) -> Any:
        if column.name in self._foreign and not self._keys.get(column.name):
            return None
        null = self._attempt == TRIES - 1 or (self._hostile and (number + place) % NULLS == 1)
        if null and column.nullable:
            return None
        if self._attempt and column.name in self._alternatives:
            chance = random.Random(f"{column.name} {number} {self._attempt}")  # noqa: S311  # no secret, and the same each time
            if chance.random() < MOSTLY:
                return chance.choice(self._alternatives[column.name])
        index = self._index(column, number)
        if column.name in self._foreign:
            return self._keys[column.name][index % len(self._keys[column.name])]
        wide = self._hostile and number % WIDE == WIDE // 2 and self._attempt < TRIES - 1
        return prepared(column, value(column, index, wide=wide))

    def _index(self, column: Column, number: int) -> int:
        """Return which of a column's values it is, so that what must be unique is."""
        if column.name in self._single:
            return number
        for names in self._together:
            if column.name in names:
                return self._digit(column.name, names, number)
        return number // SAME if self._hostile else number

    def _digit(self, name: str, names: Sequence[str], number: int) -> int:
        """Count with one digit for each column: every combination comes once."""
        few = [(other, size) for other in names if (size := self._size(other))]
        for other, size in few:
            if other == name:
                return number % size
            number //= size
        return number

    def _size(self, name: str) -> int | None:
        if name in self._foreign:
            return len(self._keys.get(name, ()))
        column = self._named.get(name)
        return limit(column) if column else None


def prepared(column: Column, plain: Any) -> Any:
    """Return a value as the model's own field would store it: it may encrypt, or pack."""
    field = column.field
    if field is None or plain is None or type(field).__module__.startswith("django."):
        return plain
    try:
        stored = field.get_prep_value(field.to_python(plain))
        json.dumps(stored)
    except Exception:  # noqa: BLE001  # a field of the project's may raise anything
        return plain
    return plain if stored is None else stored
