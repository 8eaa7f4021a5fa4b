"""Applies a migration to a copy of its stage with made-up rows, and reads what that does.

The copy is dropped afterwards: the stage's database and every real one stay as they are. An atomic
migration runs in one transaction that is rolled back, as it would run; another one statement by
statement. Rows that bring errors out come first; where they stop the migration, harmless ones show
what it does beyond.
"""

import contextlib
import copy
import io
import sys
import time
import traceback
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.apps.registry import Apps
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

from django_runbook.schema.history.failures import in_words
from django_runbook.schema.review.plan import Rehearsal
from django_runbook.schema.review.rehearsal.locks import Catalogue
from django_runbook.schema.review.rehearsal.metering import Recorder, SQLiteMeter, StatementMeter
from django_runbook.schema.review.rehearsal.rows.catalog import tables
from django_runbook.schema.review.rehearsal.rows.choosing import wanted
from django_runbook.schema.review.rehearsal.rows.filling import ONLY_HOSTILE, fill
from django_runbook.schema.review.rehearsal.rows.tables import Filled
from django_runbook.schema.scratch.databases import in_place
from django_runbook.schema.scratch.stages import Stage

ROWS = 2000
#: Milliseconds after which PostgreSQL stops a statement.
TIMEOUT = 10_000


def rehearse(stage: Stage, rows: int = ROWS, *, empty: Collection[str] = ()) -> Rehearsal:
    """Apply a stage's migration to tables with made-up rows, and undo it.

    ``rows`` is how many each table that the migration touches gets, but for those in ``empty``.
    Raises nothing for a migration that fails: the result's ``error`` says what it met.
    """
    started = time.perf_counter()
    first = _attempt(stage, rows, empty, hostile=True)
    if not first.error:
        return _result(first, (first,), started)
    second = _attempt(stage, rows, empty, hostile=False)
    return _result(first, (first, second), started)


def _result(run: "_Run", runs: tuple["_Run", ...], started: float) -> Rehearsal:
    """Put two attempts together: the second one counts from where the first one failed."""
    effects, gaps, error = list(run.recorder.effects), list(run.gaps), run.error
    if len(runs) > 1:
        failed = run.recorder.current
        effects = [effect for effect in effects if effect.operation < failed]
        effects += [e for e in runs[1].recorder.effects if e.operation >= failed]
        gaps += runs[1].gaps
        if run.by_code and not runs[1].error:
            error += ONLY_HOSTILE
        if runs[1].error and runs[1].recorder.current < run.last:
            gaps.append(
                f"Nothing is known of the operations after {runs[1].recorder.current}: it fails on "
                f"every kind of rows."
            )
    return Rehearsal(
        effects=tuple(effects),
        failed=run.recorder.current if run.error else None,
        error=error,
        gaps=tuple(dict.fromkeys(gaps)),
        seconds=time.perf_counter() - started,
    )


def _attempt(stage: Stage, rows: int, empty: Collection[str], *, hostile: bool) -> "_Run":
    made = stage.workshop.create(copy_of=stage.connection)
    try:
        with in_place(made, stage.connection.alias), contextlib.redirect_stdout(io.StringIO()):
            state = stage.state.clone()
            apps = state.apps  # rendered once, then kept up to date, as Django's executor does
            filled = _filled(made, stage.migration, apps, rows, empty, hostile=hostile)
            run = _Run(made, stage.migration, filled.rows)
            run.gaps += filled.gaps
            run.apply(state)
            return run
    finally:
        stage.workshop.drop(made)


def _filled(
    made: BaseDatabaseWrapper,
    migration: Migration,
    apps: Apps,
    rows: int,
    empty: Collection[str],
    *,
    hostile: bool,
) -> Filled:
    """Fill the tables that matter; where that fails, the rehearsal goes on without rows."""
    try:
        plan, left = wanted(migration, apps, tables(made, apps), rows)
        plan = {name: number for name, number in plan.items() if name not in empty}
        filled = fill(made, apps, plan, hostile=hostile)
    except Exception as error:  # noqa: BLE001  # fields and triggers of the project's own raise anything
        text = str(error).partition("\n")[0]
        return Filled(rows={}, gaps=(f"No rows could be made up: {type(error).__name__}: {text}.",))
    return Filled(rows=filled.rows, gaps=(*left, *filled.gaps))


class _Done(Exception):  # noqa: N818  # no error: it ends the transaction
    """Rolls the rehearsal back."""


class _Watched:
    """An operation that is measured where it touches the database, and otherwise is itself."""

    def __init__(self, operation: Any, index: int, run: "_Run") -> None:
        self._operation = operation
        self._index = index
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operation, name)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Do what the operation does, under the meter."""
        with self._run.operation(self._index, schema_editor):
            self._operation.database_forwards(app_label, schema_editor, from_state, to_state)


class _Run:
    """One application of a migration to one database."""

    def __init__(
        self, connection: BaseDatabaseWrapper, migration: Migration, rows: Mapping[str, int]
    ) -> None:
        self.error = ""
        self.by_code = False
        self.gaps: list[str] = []
        self.last = max(0, len(migration.operations) - 1)
        self._connection = connection
        self._migration = migration
        self._deferred: dict[int, int] = {}
        self._wrappers = contextlib.ExitStack()
        self._statements: StatementMeter | None = None
        if connection.vendor == "sqlite":
            meter = SQLiteMeter(connection)
            self._wrappers.enter_context(connection.execute_wrapper(meter))
            self.recorder = Recorder(meter, rows)
            return
        self.recorder = Recorder(Catalogue(connection), rows)
        if not migration.atomic:
            self._statements = StatementMeter(connection, self.recorder)
            self._wrappers.enter_context(connection.execute_wrapper(self._statements))

    def apply(self, state: ProjectState) -> None:
        """Apply the migration, as Django does, and roll it back; ``state`` is spent."""
        watched = copy.copy(self._migration)
        operations: list[Any] = [
            _Watched(operation, index, self) for index, operation in enumerate(watched.operations)
        ]
        watched.operations = operations  # type: ignore[misc]  # on an instance, as Django does
        with self._wrappers:
            self._limit()
            try:
                self._there_and_back(watched, state)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # migrations raise anything
                self.error = _told(error, self._migration)
                self.by_code = not isinstance(error, Error)
        if self._migration.atomic:
            self.recorder.merge()
        if self._statements:
            self.gaps += _unmeasured(self._statements)

    def _there_and_back(self, watched: Migration, state: ProjectState) -> None:
        with (
            contextlib.suppress(_Done),
            self._connection.schema_editor(atomic=self._migration.atomic) as editor,
        ):
            watched.apply(state, editor)
            self._close(editor)
            raise _Done

    @contextlib.contextmanager
    def operation(self, index: int, editor: BaseDatabaseSchemaEditor) -> Iterator[None]:
        """Measure one operation, and note whose the SQL is that Django holds back."""
        self.recorder.current = index
        if self._statements and not self._connection.in_atomic_block:
            yield
        else:
            rest = self._statements.resting() if self._statements else contextlib.nullcontext()
            with rest, self.recorder.measured():
                yield
        for statement in editor.deferred_sql:
            self._deferred.setdefault(id(statement), index)

    def _close(self, editor: BaseDatabaseSchemaEditor) -> None:
        """Run what Django holds back to the end, each in the name of its operation."""
        held = list(editor.deferred_sql)
        editor.deferred_sql.clear()
        for statement in held:
            with self.operation(self._deferred.get(id(statement), self.last), editor):
                editor.execute(statement, None)
        self.recorder.current = self.last
        self._connection.check_constraints()

    def _limit(self) -> None:
        if self._connection.vendor == "postgresql":
            with (
                self._statements.resting() if self._statements else contextlib.nullcontext(),
                self._connection.cursor() as cursor,
            ):
                cursor.execute(f"SET statement_timeout = {TIMEOUT}")
                cursor.execute("SET enable_indexonlyscan = off")  # its rows are not counted


def _told(error: BaseException, migration: Migration) -> str:
    """Return an error in one line, with the line of the migration's file where it was raised."""
    where = ""
    file = getattr(sys.modules.get(migration.__module__), "__file__", None)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == file:
            where = f" ({Path(frame.filename).name}, line {frame.lineno})"
    return f"{in_words(error)}{where}"


def _unmeasured(statements: StatementMeter) -> list[str]:
    derived = [
        f"Operation {index} runs outside of a transaction: its lock is the manual's, not measured."
        for index in sorted(statements.derived)
    ]
    return derived + [
        f"Operation {index} runs many statements: only the first ones were measured."
        for index in sorted(statements.cut)
    ]
