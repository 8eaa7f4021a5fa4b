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
#: What leaves a transaction of MariaDB or MySQL open; any other statement commits it first
#: (MariaDB Knowledge Base, "SQL statements that cause an implicit commit").
KEEPS = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "SAVEPOINT", "RELEASE", "ROLLBACK")


class Progress:
    """What is known of a migration while it runs; the operations themselves report it.

    ``operation`` is the index of the one that was begun last; ``closing`` that all of them are
    done. ``written`` is whether something is committed that a rollback does not take back; it
    counts for migrations without a transaction alone, and so do ``statements``, how many the
    operation at work has committed, ``last``, the last of them, and ``broken``, the one that failed
    and would have been committed. ``held_back`` is what Django left for the end and has not done.
    ``backend`` is the pid of the server's process, ``pooled`` whether that is another each time.
    """

    def __init__(self, migration: Migration, *, backwards: bool) -> None:
        self.migration = migration
        self.backwards = backwards
        self.operation: int | None = None
        self.closing = False
        self.failed = False
        self.written = False
        self.statements = 0
        self.last = self.broken = ""
        self.held_back: tuple[str, ...] = ()
        self.backend: int | None = None
        self.pooled = False
        self._in_transaction = False
        self._pending = False
        self._reads: tuple[str, ...] = READS
        self._order = len(migration.operations)

    def begin(self, index: int, *, in_transaction: bool) -> None:
        """Note that an operation begins; what the one before wrote is committed then."""
        self.written |= self._pending
        self._pending = False
        self.statements, self.last = 0, ""
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
        many: bool,
        context: Any,
    ) -> Any:
        """Wrap a statement's execution, and note that it wrote."""
        if self.failed:  # SQLite's editor switches foreign keys on
            return execute(sql, params, many, context)
        words = str(sql).lstrip(" (\n").upper()
        writes = words not in BEGINS and not words.startswith(self._reads)
        commits = not self._in_transaction or (
            not context["connection"].features.can_rollback_ddl and not words.startswith(KEEPS)
        )
        if writes and commits:
            self.written |= self._pending
        if " CONCURRENTLY " in words and not self._in_transaction:
            self.written = True  # also where it fails: it leaves an invalid index
        self.broken = str(sql) if writes and commits else ""
        result = execute(sql, params, many, context)
        self.broken = ""
        if writes and commits:
            self.written = True
            self.statements, self.last = self.statements + 1, str(sql)
        elif writes:
            self._pending = True
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
        try:
            result = run(*args, **kwargs)
        except BaseException:
            progress.failed = True
            raise
        progress.end(index)
        return result

    return reporting
