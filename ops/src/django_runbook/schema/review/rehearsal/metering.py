"""Measures what operations and statements do to tables, on PostgreSQL and on SQLite."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.review.plan import TableEffect
from django_runbook.schema.review.rehearsal.locks import Catalogue, Reading, stronger

#: What PostgreSQL refuses to run inside a transaction.
OUTSIDE = re.compile(
    r"\bconcurrently\b|^\s*(vacuum|alter\s+system|reindex\s+(database|system|schema)"
    r"|(create|drop)\s+(database|tablespace))\b",
    re.IGNORECASE,
)
#: Statements of one operation that are measured one by one: a loop over rows has thousands.
MOST = 300
WRITES = re.compile(r'^\s*(?:UPDATE|DELETE\s+FROM)\s+"?(\w+)"?', re.IGNORECASE)
WEAKEST = "AccessShareLock"


class Meter(Protocol):
    """Reads what is true of each table that was there when it was made."""

    def read(self) -> dict[str, Reading]:
        """Return a reading of each table."""


class SQLiteMeter:
    """SQLite has no locks to read: a table that is built anew begins on another page."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._changed: Counter[str] = Counter()
        self._names = set(self._pages())

    def read(self) -> dict[str, Reading]:
        """Return a reading of each table; one that was renamed has none."""
        pages = self._pages()
        return {
            name: Reading(file=pages.get(name), changed=self._changed[name]) for name in self._names
        }

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """Count the rows that a statement changes, as Django's ``execute_wrapper`` calls it."""
        result = execute(sql, *rest)
        if (written := WRITES.match(str(sql))) and written[1] in self._names:
            self._changed[written[1]] += max(0, rest[-1]["cursor"].rowcount)
        return result

    def _pages(self) -> dict[str, int]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'")
            return dict(cursor.fetchall())


class Recorder:
    """Turns readings before and after into effects, for the operation that is under way."""

    def __init__(self, meter: Meter, rows: Mapping[str, int]) -> None:
        self.effects: list[TableEffect] = []
        self.current = 0
        self._meter = meter
        self._rows = rows

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Record what the body does, unless it fails: no reading is possible then."""
        before = self._meter.read()
        yield
        after = self._meter.read()
        for table, now in after.items():
            self._compare(table, before.get(table, Reading()), now)

    def merge(self) -> None:
        """Make one of an operation's effects on a table, where one transaction holds them."""
        merged: dict[tuple[int, str], TableEffect] = {}
        for effect in self.effects:
            place = (effect.operation, effect.table)
            merged[place] = _sum(merged[place], effect) if place in merged else effect
        self.effects = list(merged.values())

    def add(self, table: str, *, lock: str, rewritten: bool = False) -> None:
        """Record an effect that was not measured."""
        self.effects.append(
            TableEffect(
                operation=self.current,
                table=table,
                rows=self._rows.get(table, 0),
                lock=lock,
                rewritten=rewritten,
            )
        )

    def _compare(self, table: str, before: Reading, now: Reading) -> None:
        rows = self._rows.get(table, 0)
        scanned = max(0, now.scanned - before.scanned)
        changed = max(0, now.changed - before.changed)
        rewritten = None not in {before.file, now.file} and before.file != now.file
        locked = now.lock != WEAKEST and stronger(now.lock, before.lock)
        if scanned or changed or rewritten or locked:
            self.effects.append(
                TableEffect(
                    operation=self.current,
                    table=table,
                    rows=rows,
                    lock=now.lock,
                    rewritten=rewritten,
                    scanned=min(scanned, rows) if rows else scanned,
                    changed=min(changed, rows) if rows else changed,
                )
            )


def _sum(one: TableEffect, other: TableEffect) -> TableEffect:
    most = max(one.rows, one.scanned, one.changed)
    return replace(
        one,
        lock=other.lock if stronger(other.lock, one.lock) else one.lock,
        rewritten=one.rewritten or other.rewritten,
        scanned=min(one.scanned + other.scanned, most),
        changed=min(one.changed + other.changed, most),
    )


class StatementMeter:
    """Measures statement by statement what runs outside of a transaction, on PostgreSQL.

    Each gets a transaction of its own, as it would have. What cannot have one (CONCURRENTLY) is not
    measured: its lock is what the manual says, and ``derived`` names the operations.
    """

    def __init__(self, connection: BaseDatabaseWrapper, recorder: Recorder) -> None:
        self.derived: set[int] = set()
        self.cut: set[int] = set()
        self.paused = False
        self._connection = connection
        self._recorder = recorder
        self._seen: Counter[int] = Counter()

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """Run one statement, as Django's ``execute_wrapper`` calls it."""
        if self.paused:
            return execute(sql, *rest)
        self._seen[self._recorder.current] += 1
        if self._seen[self._recorder.current] > MOST:
            self.cut.add(self._recorder.current)
            return execute(sql, *rest)
        self.paused = True
        try:
            if OUTSIDE.search(str(sql)) and not self._connection.in_atomic_block:
                return self._unmeasured(execute, sql, *rest)
            with transaction.atomic(using=self._connection.alias), self._recorder.measured():
                return execute(sql, *rest)
        finally:
            self.paused = False

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Leave the measuring to another for a while."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    def _unmeasured(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        self.derived.add(self._recorder.current)
        before = Catalogue(self._connection)
        files = before.read()
        result = execute(sql, *rest)
        after = Catalogue(self._connection)
        now = before.read()
        for oid in before.indexes.keys() ^ after.indexes.keys():
            table = before.indexes.get(oid) or after.indexes[oid]
            self._recorder.add(table, lock="ShareUpdateExclusiveLock")
        for table, reading in now.items():
            if reading.file != files[table].file:
                self._recorder.add(table, lock="AccessExclusiveLock", rewritten=True)
        return result
