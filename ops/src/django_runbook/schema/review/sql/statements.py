"""The SQL of a migration, statement by statement, as it really runs where its parents are applied.

Django's ``sqlmigrate`` only collects it: an operation that looks up what an earlier one of the same
migration made finds nothing then. Here each statement is written down as it is executed, in a
transaction that is rolled back, or in a copy where it cannot be (SQLite, ``atomic = False``).
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from django_runbook.schema.history.failures import in_words
from django_runbook.schema.history.graph import shown
from django_runbook.schema.review.plan import OperationPlan
from django_runbook.schema.review.sql.recorder import Recorder
from django_runbook.schema.scratch.databases import in_place
from django_runbook.schema.scratch.stages import Stage

#: How the line of a Python function begins among the SQL.
PYTHON = "-- Python: "


@dataclass(frozen=True, kw_only=True)
class Collected:
    """The SQL of a migration. ``closing`` is what Django holds back until all operations ran.

    ``failed`` is the operation at which it failed, the number of operations for the closing SQL;
    ``error`` what was said then.
    """

    operations: tuple[OperationPlan, ...]
    closing: tuple[str, ...] = ()
    failed: int | None = None
    error: str = ""

    @property
    def touches(self) -> bool:
        """Whether it does anything to the database, or tries to."""
        return bool(self.error or self.closing or any(it.statements for it in self.operations))


def statements(stage: Stage) -> Collected:
    """Return the SQL of a stage's migration; the stage's database stays as it was.

    A value that differs from run to run is shown as ``<varies>``. SQL that Django holds back is
    shown with its operation where nothing else runs in between, else as ``closing``.
    """
    with tried(stage) as connection:
        return _recorded(stage.migration, stage.state.clone(), connection)


@contextmanager
def tried(stage: Stage) -> Iterator[BaseDatabaseWrapper]:
    """Yield a database at the parents' state that may be written to, and is thrown away."""
    connection = stage.connection
    if connection.vendor == "postgresql" and stage.migration.atomic:
        with _rolled_back(connection.alias):
            yield connection
        return
    made = stage.workshop.create(copy_of=connection)
    try:
        with in_place(made, connection.alias):
            yield made
    finally:
        stage.workshop.drop(made)


@contextmanager
def _rolled_back(alias: str) -> Iterator[None]:
    whole: AbstractContextManager[None] = transaction.atomic(using=alias)
    with whole:
        try:
            yield
        finally:
            transaction.set_rollback(True, using=alias)


def _recorded(
    migration: Migration, state: ProjectState, connection: BaseDatabaseWrapper
) -> Collected:
    _ = state.apps  # rendered once, as Django's executor does
    operations = list(migration.operations)
    plans: dict[int, list[str]] = {index: [] for index in range(len(operations) + 1)}
    held: dict[int, tuple[int, object]] = {}
    owners: set[int] = set()
    current, error = 0, ""
    try:
        with connection.schema_editor(atomic=migration.atomic) as editor:
            recorder = Recorder(editor)
            for current, operation in enumerate(operations):
                python = list(_python(operation, migration, editor))
                recorder.begin([*plans[current], *python], literal=not python)
                plans[current] = recorder.texts
                state = _alone(migration, operation).apply(state, editor)
                for sql in editor.deferred_sql:
                    held.setdefault(id(sql), (current, sql))
            owners = {held[id(sql)][0] for sql in editor.deferred_sql}
            current = len(operations)
            recorder.begin([], literal=True)
            plans[current] = recorder.texts
    except (Exception, SystemExit) as raised:  # noqa: BLE001  # a migration's code raises anything
        error = in_words(raised)
    ran = [index for index, texts in plans.items() if texts and index < len(operations)]
    if not error and ran and owners == {ran[-1]}:
        plans[ran[-1]] += plans.pop(len(operations))
    return Collected(
        operations=tuple(
            OperationPlan(
                index=index, description=operation.describe(), statements=tuple(plans[index])
            )
            for index, operation in enumerate(operations)
        ),
        closing=tuple(plans.get(len(operations), ())),
        failed=current if error else None,
        error=error,
    )


def _alone(migration: Migration, operation: Operation) -> Migration:
    """Return the migration with one operation, so that Django's own loop runs it."""
    alone = copy(migration)
    vars(alone)["operations"] = [operation]
    return alone


def _python(
    operation: Operation, migration: Migration, editor: BaseDatabaseSchemaEditor
) -> Iterator[str]:
    """Yield a line for each Python function that an operation calls on this database."""
    for inner in getattr(operation, "database_operations", ()):
        yield from _python(inner, migration, editor)
    if isinstance(operation, RunPython) and router.allow_migrate(
        editor.connection.alias, migration.app_label, **operation.hints
    ):
        yield f"{PYTHON}{called(operation.code)}"


def called(code: Callable[..., Any]) -> str:
    """Return a function as it is called, with its file and line."""
    inner = code
    while isinstance(inner, functools.partial):
        inner = inner.func
    inner = inspect.unwrap(inner)
    if not inspect.isroutine(inner) and not inspect.isclass(inner):
        inner = type(inner).__call__ if not hasattr(inner, "__code__") else inner
    name = getattr(inner, "__qualname__", type(code).__qualname__).removesuffix(".__call__")
    try:
        file = Path(str(inspect.getsourcefile(inner))).resolve()
        line = inspect.getsourcelines(inner)[1]
    except (OSError, TypeError):
        return f"{name}(apps, schema_editor)"
    place = shown(file)
    return f"{name}(apps, schema_editor){f', {place}:{line}' if place else ''}"
