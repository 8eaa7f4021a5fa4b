"""What is wrong with the migrations, each with the command that mends it."""

from dataclasses import dataclass

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ProjectState

from ops.schema.selectors import unapplied


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and the command that mends it."""

    what: str
    fix: str

    def __str__(self) -> str:
        """Return both as a line."""
        return f"{self.what}. Run '{self.fix}'."


def findings(alias: str | None = DEFAULT_DB_ALIAS) -> list[Finding]:
    """Return conflicting leaves, models without a migration, and unapplied migrations.

    With ``alias`` None no database is asked, and the last kind is left out. Conflicts hide the
    other kinds: with two leaves there is no one state to compare with.
    """
    loader = MigrationLoader(None, ignore_no_migrations=True)
    conflicts = [
        Finding(
            f"{app} has conflicting leaves: {', '.join(sorted(names))}",
            f"inv db.make {app} --merge",
        )
        for app, names in sorted(loader.detect_conflicts().items())
    ]
    if conflicts:
        return conflicts
    return [*_without_migration(loader), *([] if alias is None else _unapplied(alias))]


def _without_migration(loader: MigrationLoader) -> list[Finding]:
    autodetector = MigrationAutodetector(
        loader.project_state(),
        ProjectState.from_apps(apps),
        NonInteractiveMigrationQuestioner(specified_apps=set(), dry_run=True),
    )
    changes = autodetector.changes(graph=loader.graph)
    return [
        Finding(f"{app} lacks a migration: {operation.describe()}", f"inv db.make {app}")
        for app, migrations in sorted(changes.items())
        for migration in migrations
        for operation in migration.operations
    ]


def _unapplied(alias: str) -> list[Finding]:
    return [Finding(f"{name} is not applied", "inv db.migrate") for name in unapplied(alias)]
