"""The graph of the migrations; what keeps it from being built is told in one line."""

import sys
import sysconfig
import traceback
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import (
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from django_runbook.schema.errors import MigrationsError

#: A migration: the label of its app, and its name.
Key = tuple[str, str]


def loaded(connection: BaseDatabaseWrapper | None = None) -> MigrationLoader:
    """Return the migrations as this database has recorded them; with None, as a new one sees them.

    Raises ``MigrationsError`` for a file that cannot be imported, a parent that does not exist and
    migrations that depend on each other.
    """
    try:
        return MigrationLoader(connection, ignore_no_migrations=True)
    except BadMigrationError as error:
        raise MigrationsError(f"{error}. Give the file one, or delete it.") from error
    except NodeNotFoundError as error:
        raise MigrationsError(
            f"{error}. Bring that file back, or name a migration that is there."
        ) from error
    except CircularDependencyError as error:
        raise MigrationsError(
            f"Migrations depend on each other: {error}. Take out one of the dependencies."
        ) from error
    except Exception as error:
        place = _place(error)
        if not place:
            raise
        reason = " ".join(str(getattr(error, "msg", error)).split())
        raise MigrationsError(
            f"{place}: {type(error).__name__}: {reason}. Mend the file."
        ) from error


def require_linear(loader: MigrationLoader, apps: Iterable[str] = ()) -> None:
    """Raise ``MigrationsError`` for an app with two leaves, with the command that mends it."""
    wanted = set(apps)
    for app, names in sorted(loader.detect_conflicts().items()):
        if not wanted or app in wanted:
            raise MigrationsError(
                f"{app} has conflicting leaves: {', '.join(sorted(names))}. "
                f"Run 'inv db.make {app} --merge'."
            )


def migration_at(graph: MigrationGraph, key: Key) -> Migration:
    """Return a migration of a graph. Raises ``MigrationsError`` where only others name it."""
    migration = graph.nodes[key]
    if migration is None:  # Django's own word for a node that stands for a missing one
        raise MigrationsError(f"{'.'.join(key)} does not exist.")
    return migration


def file_of(migration: Migration) -> Path:
    """Return the file that a migration was read from."""
    return Path(str(sys.modules[migration.__module__].__file__)).resolve()


def is_installed(file: Path) -> bool:
    """Tell whether a file is an installed package's, and so not this repository's to change."""
    return any(
        folder in _packages() or folder.name in ("site-packages", "dist-packages")
        for folder in file.parents
    )


def shown(file: Path) -> str:
    """Return a file as it is called from the current folder, or below its installed package."""
    here = Path.cwd()
    if file.is_relative_to(here) and not is_installed(file):
        return str(file.relative_to(here))
    folders = [_resolved(entry) for entry in sys.path if Path(entry).is_absolute()]
    below = [folder for folder in folders if file.is_relative_to(folder)]
    return str(file.relative_to(max(below, key=lambda folder: len(folder.parts)))) if below else ""


@cache
def _packages() -> frozenset[Path]:
    return frozenset(Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))


@cache
def _resolved(entry: str) -> Path:
    return Path(entry).resolve()


def _place(error: Exception) -> str:
    """Return the file and line of the migration whose import failed; nothing for another file."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown(Path(error.filename).resolve())}, line {error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_file() and file.parent.name == "migrations" and "django" not in file.parts:
            return f"{shown(file.resolve())}, line {frame.lineno}"
    return ""
