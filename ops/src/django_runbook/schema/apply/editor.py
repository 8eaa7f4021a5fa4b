"""The schema editor while a migration is applied: timeouts in its transaction, an end in order."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.apply import timeouts
from django_runbook.schema.apply.progress import Progress
from django_runbook.schema.apply.steps import Limits
from django_runbook.schema.apply.stopping import Stop


class Orderly:
    """Goes before a backend's own schema editor."""

    connection: BaseDatabaseWrapper
    atomic_migration: bool
    atomic: Any
    deferred_sql: list[Any]
    execute: Callable[[Any, None], None]
    limits: Limits
    progress: Progress
    stop: Stop

    def __enter__(self) -> Any:
        """Begin, and set PostgreSQL's timeouts for the transaction."""
        self.nested = self.connection.in_atomic_block
        self.before: dict[str, str] = {}
        theirs: Any = super()
        try:
            made = theirs.__enter__()
        except BaseException:
            self._check_foreign_keys()
            raise
        try:
            if self.connection.vendor == "postgresql" and self.atomic_migration:
                self.before = timeouts.set_in_transaction(self.connection, self.limits)
                if self.progress.pooled:  # the transaction has another one
                    self.progress.backend = backend(self.connection)
        except BaseException:  # no one else ends what has no body yet
            self.__exit__(*sys.exc_info())
            raise
        return made

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the transaction, whatever happens, without being broken off."""
        if kind is None and self.nested and self.before:
            timeouts.restore_in_transaction(self.connection, self.before)
        self.progress.held_back = tuple(map(str, self.deferred_sql))
        theirs: Any = super()
        try:
            with self.stop.unbroken():
                if kind is None and not self.atomic_migration:
                    self._do_held_back()
                theirs.__exit__(kind, value, trace)
        except BaseException:
            # SQLite's editor looks at foreign keys first, and then leaves its transaction open.
            if self.atomic_migration and self.connection.in_atomic_block and not self.nested:
                self.atomic.__exit__(*sys.exc_info())
            self._check_foreign_keys()
            raise

    def _do_held_back(self) -> None:
        """Do what Django does at the end, and note what of it is done."""
        while self.deferred_sql:
            self.execute(self.deferred_sql[0], None)
            del self.deferred_sql[0]
            self.progress.held_back = self.progress.held_back[1:]

    def _check_foreign_keys(self) -> None:
        """Switch SQLite's foreign keys on again, which its editor leaves off where it fails."""
        if self.connection.vendor == "sqlite" and not self.connection.in_atomic_block:
            self.connection.enable_constraint_checking()


@contextmanager
def edited(
    connection: BaseDatabaseWrapper, limits: Limits, progress: Progress, stop: Stop
) -> Iterator[None]:
    """Make the connection's schema editors orderly, whatever class the backend has for them."""
    kept = vars(connection).get("SchemaEditorClass")
    given = {"limits": limits, "progress": progress, "stop": stop}
    made: Any = type("Editor", (Orderly, connection.SchemaEditorClass), given)
    connection.SchemaEditorClass = made
    try:
        yield
    finally:
        del connection.SchemaEditorClass
        if kept is not None:
            connection.SchemaEditorClass = kept


def backend(connection: BaseDatabaseWrapper) -> int | None:
    """Return the pid of the server's process; what a pooler says of itself is another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = cursor.fetchone()
    return int(found[0]) if found else None
