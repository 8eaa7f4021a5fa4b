"""Where the database stands when a plan has ended before its end: asked of the database itself."""

import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.apply.errors import LostLockError
from django_runbook.schema.apply.progress import Progress
from django_runbook.schema.apply.steps import LockWait, Point, Reason, Standing, Step
from django_runbook.schema.apply.timeouts import mysql_code, sqlstate
from django_runbook.schema.history.graph import Key

INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"


def after(
    executor: MigrationExecutor,
    plan: Sequence[tuple[Key, bool]],
    steps: Sequence[Step],
    progress: Progress | None,
    error: BaseException,
    reason: Reason,
    *,
    wait: LockWait | None,
    tries: int,
) -> Standing:
    """Return where the database stands after ``error``, in ``progress`` or between two."""
    point = _point(executor, progress, error) if progress else None
    if point and point.recorded is not None and point.recorded is not point.backwards:
        app, name = point.migration  # it came through all the same: the signal was too late
        steps = [*steps, Step(app_label=app, name=name, backwards=point.backwards)]
        point = None
    done = {(step.app_label, step.name) for step in steps}
    return Standing(
        reason=reason,
        message=_message(error),
        done=tuple(steps),
        left=tuple(".".join(key) for key, _ in plan if key not in done),
        point=point,
        back=_back(executor, plan, steps),
        no_way_back=_no_way_back(executor, steps),
        wait=wait,
        tries=tries,
    )


def _message(error: BaseException) -> str:
    """Return what is said of the error, without values of rows."""
    said = first_line(error)
    if isinstance(error, KeyboardInterrupt):
        return said or "SIGINT"
    if isinstance(error, LostLockError):
        return f"the lock that keeps other migrators away is lost: {said}"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _point(executor: MigrationExecutor, progress: Progress, error: BaseException) -> Point:
    connection, migration = executor.connection, progress.migration
    atomic = bool(migration.atomic and connection.features.can_rollback_ddl)
    recorded, invalid, lost = None, (), False
    with suppress(Error):
        if not connection.in_atomic_block and _is_lost(connection):
            lost = True
            connection.close()  # the next question opens another
        key = (migration.app_label, migration.name)
        applied = MigrationRecorder(connection).applied_migrations()
        replaced = bool(migration.replaces) and all(key in applied for key in migration.replaces)
        recorded = key in applied or replaced
        if not atomic and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(INVALID)
                invalid = tuple(row[0] for row in cursor.fetchall())
    return Point(
        migration=(migration.app_label, migration.name),
        backwards=progress.backwards,
        atomic=atomic,
        operations=tuple(operation.describe() for operation in migration.operations),
        operation=progress.operation,
        closing=progress.closing,
        written=progress.written,
        recorded=recorded,
        invalid=invalid,
        place=_place(error, migration),
        statements=progress.statements,
        last=progress.last,
        held_back=progress.held_back,
        broken=progress.broken if lost else "",
        remains=is_of_remains(error),
    )


def _is_lost(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether the connection is gone; MySQL's backend cannot be asked once it is closed."""
    return connection.connection is None or not connection.is_usable()


def _place(error: BaseException, migration: Migration) -> str:
    """Return the line of the migration's own file that the error came through."""
    module = sys.modules.get(migration.__module__)
    file = getattr(module, "__file__", None)
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f"{Path(lines[-1].filename).name}, line {lines[-1].lineno}" if lines else ""


def _back(
    executor: MigrationExecutor, plan: Sequence[tuple[Key, bool]], steps: Sequence[Step]
) -> tuple[Key, ...]:
    """Return where each app stood before, the app that was touched last coming first."""
    ways: dict[str, str] = {}
    for step in reversed(steps):
        if step.app_label in ways:
            continue
        ways[step.app_label] = _before(executor, step.app_label, plan)
    return tuple(ways.items())


def _before(executor: MigrationExecutor, app: str, plan: Sequence[tuple[Key, bool]]) -> str:
    """Return the app's last migration that was applied before the plan began, or ``zero``."""
    backwards = any(undo for _, undo in plan)
    touched = [key for key, _ in plan if key[0] == app]
    if backwards:  # the first that a plan undoes was the app's last
        return touched[0][1]
    graph = executor.loader.graph
    parents = graph.forwards_plan(touched[0])
    earlier = [key for key in parents if key[0] == app and key != touched[0]]
    return earlier[-1][1] if earlier else "zero"


def _no_way_back(executor: MigrationExecutor, steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the migrations among those done that cannot be undone."""
    nodes = executor.loader.graph.nodes
    return tuple(
        str(step)
        for step in steps
        if not step.backwards
        and not all(o.reversible for o in nodes[step.app_label, step.name].operations)
    )


#: PostgreSQL's class 22, such as: invalid input syntax for type integer: "x".
DATA_EXCEPTION = "22"
QUOTED = re.compile(r'"[^\n]*"')
#: MariaDB and MySQL: Duplicate entry 'x' for key 'y', Incorrect integer value: 'x' for column ...
MYSQL_VALUE = re.compile(r"(entry|value:?) (?:'.*'(?= for (?:key|column|function)\b)|'.*'$)")
#: PostgreSQL: a table, column, other object or schema that is there, or is not.
REMAINS = {"42P07", "42701", "42710", "42P06", "42P01", "42703", "42704"}
#: MariaDB and MySQL, as above: table, column, index, foreign key; what is to be dropped.
MYSQL_REMAINS = {1050, 1060, 1061, 1826, 1051, 1054, 1091}


def first_line(error: BaseException) -> str:
    """Return the first line: PostgreSQL's DETAIL, the second, holds values of rows."""
    if code := mysql_code(error):
        said = " ".join(" ".join(map(str, error.args[1:])).split())
        masked = MYSQL_VALUE.sub(r"\1 '...'", said)
        return f"{masked} ({code})"
    said = str(error).strip().partition("\n")[0]
    return QUOTED.sub('"..."', said) if sqlstate(error).startswith(DATA_EXCEPTION) else said


def is_of_remains(error: BaseException) -> bool:
    """Tell whether something was there already, or missing: as after a run that was broken off."""
    return sqlstate(error) in REMAINS or mysql_code(error) in MYSQL_REMAINS
