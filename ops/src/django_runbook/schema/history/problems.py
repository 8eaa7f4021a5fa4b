"""What is wrong with the migrations, each with the command that mends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ProjectState

from django_runbook.schema.database.target import unapplied
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import is_installed, loaded
from django_runbook.schema.history.half_squashed import Kind, Stray, strays
from django_runbook.schema.history.unknown import said, unknown
from django_runbook.schema.wording import first


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and the command that mends it; none where a file must be edited."""

    what: str
    fix: str = ""

    def __str__(self) -> str:
        """Return both as a line."""
        return f"{self.what}. Run '{self.fix}'." if self.fix else f"{self.what}."


def findings(alias: str | None = DEFAULT_DB_ALIAS) -> list[Finding]:
    """Return conflicting leaves, models without a migration, and what a database lacks.

    With ``alias`` None no database is asked, and the last kind is left out. Conflicts hide the
    other kinds: with two leaves there is no one state to compare with. Where the record and the
    files have parted, that hides what is unapplied: applying it would fail, or do nothing.
    """
    try:
        loader = loaded()
    except MigrationsError as error:
        return [Finding(str(error).removesuffix("."))]
    conflicts = [
        Finding(
            f"{app} has conflicting leaves: {', '.join(sorted(names))}",
            f"inv db.make {app} --merge",
        )
        for app, names in sorted(loader.detect_conflicts().items())
    ]
    if conflicts:
        return conflicts
    found = _without_migration(loader)
    if alias is None:
        return found
    apart = strays(loader, alias)
    parted = [_parted(stray) for stray in apart]
    return [*found, *(parted or _unapplied(alias)), *_newer(alias, loader, apart)]


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


def _newer(alias: str, loader: MigrationLoader, apart: Iterable[Stray]) -> list[Finding]:
    """Say what is recorded and in no file, but for apps of which more is known."""
    told = {stray.app_label for stray in apart}
    names = [name for name in unknown(alias, loader) if name.partition(".")[0] not in told]
    return [Finding(said(names).removesuffix("."))] if names else []


def _parted(stray: Stray) -> Finding:
    """Say what is wrong between the record and the files, and what Django would do."""
    app, name = stray.app_label, f"{stray.app_label}.{stray.name}"
    gone, tables = first(stray.gone), first(stray.tables)
    match stray.kind:
        case Kind.PASSED_OVER:
            return Finding(
                f"{name} replaces {gone}, not applied here and without a file: Django shows "
                "'(no migrations)' and applies nothing; the old files do",
                _with_old_files(stray),
            )
        case Kind.UNFINISHED:
            return Finding(
                f"{name} is recorded, but not {gone}, which it replaces: Django takes it for "
                "unapplied until 'replaces' is removed",
                f"inv db.squash {app} --finish",
            )
        case Kind.REPLACED:
            return Finding(
                f"{name} makes {tables}, which is there already, made by {gone}, without a file: "
                "'inv db.migrate' would fail; the old files tell it what is applied",
                _with_old_files(stray),
            )
        case Kind.RENAMED:
            return Finding(
                f"{name} makes {tables}, which is there already, while {gone} is recorded and has "
                "no file: if it was renamed, only the record is wrong",
                f"inv db.migrate {app} {stray.name} -- --fake && inv db.drift",
            )
    return Finding(
        f"{name} makes {tables}, which is there already, and no migration of {app} is recorded: "
        "'inv db.migrate' would fail",
        f"inv db.migrate {app} -- --fake-initial && inv db.drift",
    )


def _with_old_files(stray: Stray) -> str:
    """Return the command that goes back to where git last had the files, and migrates there.

    An installed package's files come with the release that has them, which git does not know.
    """
    if is_installed(stray.folder):
        return f"inv db.migrate {stray.app_label}' with the release that has '{stray.gone[-1]}"
    file = stray.folder / f"{stray.gone[-1]}.py"
    here = Path.cwd()
    file = file.relative_to(here) if file.is_relative_to(here) else file
    return (
        f'git switch --detach "$(git rev-list -1 HEAD -- {file})^" '
        f"&& inv db.migrate {stray.app_label}; git switch -"
    )
