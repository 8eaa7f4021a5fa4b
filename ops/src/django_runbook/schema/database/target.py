"""Reads of the target and of its migrations."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from django_runbook.schema.database.files import require_file
from django_runbook.schema.database.protection import environment, protected_because
from django_runbook.schema.database.reached import reached
from django_runbook.schema.errors import UnappliedError


@dataclass(frozen=True, kw_only=True)
class Target:
    """The database and environment that a command touches; never the password.

    ``why`` says why it is protected; empty where it is not. ``replica``: the server takes no
    writes. ``answered``: whether the server itself said all that.
    """

    environment: str
    engine: str
    host: str
    port: str
    database: str
    user: str
    alias: str
    why: str
    replica: bool
    answered: bool

    @property
    def protected(self) -> bool:
        """Whether what destroys it wants its name."""
        return bool(self.why)

    @property
    def name(self) -> str:
        """What is typed to confirm: the database's name, of an SQLite file its last part."""
        return PurePath(self.database).name if self.engine == "sqlite" else self.database

    def __str__(self) -> str:
        """Return the target as one line, such as ``production postgresql me@db:5432/app``."""
        place = f"{self.host}:{self.port}".strip(":")
        owner = f"{self.user}@" if self.user else ""
        where = self.database if self.engine == "sqlite" else f"{owner}{place}/{self.database}"
        return f"{self.environment} {self.engine} {where}".strip()


def target(alias: str = DEFAULT_DB_ALIAS, *, connect: bool = True) -> Target:
    """Return what a command with this alias would touch: asked of the server where it answers.

    An SQLite file that does not exist is not made. Without ``connect`` the settings alone speak.
    """
    found, at = environment(), reached(alias, connect=connect)
    return Target(
        alias=alias,
        environment=found.name,
        engine=connections[alias].vendor,
        host=at.host,
        port=at.port,
        database=at.database,
        user=at.user,
        why=protected_because(found, at),
        replica=at.replica,
        answered=at.answered,
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
    """Raise ``UnappliedError`` unless every migration is applied.

    Raises ``NoSuchFileError`` for an SQLite file that is not there: its path may be misspelt.
    """
    require_file(connections[alias])
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
