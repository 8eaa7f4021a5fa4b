"""Reads of the target and of its migrations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from django_runbook.schema.errors import UnappliedError


@dataclass(frozen=True, kw_only=True)
class Target:
    """The database and environment that a command touches; never the password."""

    environment: str
    engine: str
    host: str
    port: str
    database: str
    user: str


def target(alias: str = DEFAULT_DB_ALIAS) -> Target:
    """Return what the settings say of the database; nothing is connected to."""
    connection = connections[alias]
    values = connection.settings_dict
    return Target(
        environment=getattr(settings, "ENVIRONMENT", ""),
        engine=connection.vendor,
        host=str(values["HOST"]),
        port=str(values["PORT"]),
        database=str(values["NAME"]),
        user=str(values["USER"]),
    )


def unapplied(alias: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return the migrations that are not applied, as ``app.name`` in the order of applying.

    Reads only. An SQLite file that does not exist is not made: connecting would create it.
    """
    executor = _executor(alias)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def steps(
    app_label: str | None, migration_name: str | None, alias: str = DEFAULT_DB_ALIAS
) -> tuple[list[str], list[str]]:
    """Return what going to a migration would apply, and what it would undo, each in that order.

    Without a name it is the app's last one, without an app everything; ``zero`` undoes all of the
    app. Reads only. Raises Django's ``KeyError`` or ``AmbiguityError`` for a name that is no
    migration's beginning; ``migrate`` itself says that better.
    """
    if app_label is None:
        return unapplied(alias), []
    executor = _executor(alias)
    graph = executor.loader.graph
    if migration_name is None:
        targets: list[tuple[str, str | None]] = [*graph.leaf_nodes(app_label)]
    elif migration_name == "zero":
        targets = [(app_label, None)]
    else:
        name = executor.loader.get_migration_by_prefix(app_label, migration_name).name
        targets = [(app_label, name)]
    plan = executor.migration_plan(targets)
    names = [(f"{migration.app_label}.{migration.name}", undo) for migration, undo in plan]
    return [name for name, undo in names if not undo], [name for name, undo in names if undo]


def require_applied(alias: str = DEFAULT_DB_ALIAS) -> None:
    """Raise ``UnappliedError`` unless every migration is applied."""
    missing = unapplied(alias)
    if missing:
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        raise UnappliedError(f"{missing[0]}{more} not applied. Run 'inv db.migrate' first.")


def absent(alias: str) -> bool:
    """Tell whether the database is an SQLite file that is not there; connecting would make it."""
    connection: Any = connections[alias]
    if connection.vendor != "sqlite" or connection.is_in_memory_db():
        return False
    name = str(connection.settings_dict["NAME"])
    return not name.startswith("file:") and not Path(name).exists()


def _executor(alias: str) -> MigrationExecutor:
    """Return Django's executor, without a connection where that would make an SQLite file."""
    return MigrationExecutor(None if absent(alias) else connections[alias])
