"""Reads of the target and of its migrations."""

import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from ops.schema.errors import UnappliedError


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
    connection = connections[alias]
    absent = connection.vendor == "sqlite" and not _exists(str(connection.settings_dict["NAME"]))
    if absent:
        graph = MigrationLoader(None).graph
        plan = [node for leaf in graph.leaf_nodes() for node in graph.forwards_plan(leaf)]
        return [f"{app}.{name}" for app, name in dict.fromkeys(plan)]
    executor = MigrationExecutor(connection)
    steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in steps]


def migration_files() -> dict[Path, tuple[str, str]]:
    """Return the file of every migration with its app's label and its name; reads no database."""
    migrations = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return {
        Path(str(sys.modules[migration.__module__].__file__)).resolve(): key
        for key, migration in migrations.items()
    }


def backwards(app_label: str, migration_name: str, alias: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Return the migrations that going to ``migration_name`` would undo, in that order.

    ``zero`` undoes all of the app. Raises Django's ``KeyError`` or ``AmbiguityError`` for a name
    that is no migration's beginning; ``migrate`` itself says that better.
    """
    executor = MigrationExecutor(connections[alias])
    if migration_name == "zero":
        name = None
    else:
        name = executor.loader.get_migration_by_prefix(app_label, migration_name).name
    steps = executor.migration_plan([(app_label, name)])
    return [f"{migration.app_label}.{migration.name}" for migration, undo in steps if undo]


def require_applied(alias: str = DEFAULT_DB_ALIAS) -> None:
    """Raise ``UnappliedError`` unless every migration is applied."""
    missing = unapplied(alias)
    if missing:
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        raise UnappliedError(f"{missing[0]}{more} not applied. Run 'inv db.migrate' first.")


def _exists(name: str) -> bool:
    """Tell whether an SQLite database is there; one in memory always is."""
    return name == ":memory:" or name.startswith("file:") or Path(name).exists()
