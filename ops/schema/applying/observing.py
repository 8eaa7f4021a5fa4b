"""How far a migration has come: which operation is at work, and whether anything is committed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.migration import Migration
from django.db.migrations.operations import RunSQL
from django.db.migrations.operations.base import Operation

READS = ("SELECT", "SHOW", "PRAGMA", "SET", "EXPLAIN")
#: What SQLite begins a transaction with; Django sends it as a statement.
BEGINS = ("BEGIN", "BEGIN DEFERRED", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE")


class Progress:
    """What is known of a migration while it runs; the operations themselves report it.

    ``operation`` is the index of the one that was begun last; ``closing`` that all of them are
    done. ``written`` is whether something is committed that a rollback does not take back; it
    counts for migrations without a transaction alone.
    """

    def __init__(self, migration: Migration, *, backwards: bool) -> None:
        self.migration = migration
        self.backwards = backwards
        self.operation: int | None = None
        self.closing = False
        self.written = False
        self.backend: int | None = None
        self._in_transaction = False
        self._pending = False
        self._reads: tuple[str, ...] = READS
        self._order = len(migration.operations)

    def begin(self, index: int, *, in_transaction: bool) -> None:
        """Note that an operation begins; what the one before wrote is committed then."""
        self.written |= self._pending
        self._pending = False
        self.operation = index
        self._in_transaction = in_transaction
        # A SELECT that somebody wrote may call a function that writes.
        self._reads = () if isinstance(self.migration.operations[index], RunSQL) else READS

    def end(self, index: int) -> None:
        """Note that an operation has ended."""
        self.closing = index == (0 if self.backwards else self._order - 1)

    def execute(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001  # Django's signature
        context: Any,
    ) -> Any:
        """Wrap a statement's execution, and note that it wrote."""
        words = str(sql).lstrip(" (\n").upper()
        if " CONCURRENTLY " in words and not self._in_transaction:
            self.written = True  # also where it fails: it leaves an invalid index
        result = execute(sql, params, many, context)
        if words not in BEGINS and not words.startswith(self._reads):
            if self._in_transaction:
                self._pending = True
            else:
                self.written = True
        return result


@contextmanager
def observed(progress: Progress, connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let the operations report to ``progress`` while the migration runs."""
    way = "database_backwards" if progress.backwards else "database_forwards"
    operations = progress.migration.operations
    own = [(operation, vars(operation).get(way)) for operation in operations]
    try:
        for index, operation in enumerate(operations):
            reporting = _reporting(progress, index, operation, way, connection)
            vars(operation)[way] = reporting
        with connection.execute_wrapper(progress.execute):
            yield
    finally:
        for operation, before in own:
            vars(operation).pop(way, None)
            if before is not None:
                vars(operation)[way] = before


def _reporting(
    progress: Progress, index: int, operation: Operation, way: str, connection: BaseDatabaseWrapper
) -> Callable[..., Any]:
    run = getattr(operation, way)

    def reporting(*args: Any, **kwargs: Any) -> Any:
        progress.begin(index, in_transaction=connection.in_atomic_block)
        result = run(*args, **kwargs)
        progress.end(index)
        return result

    return reporting
