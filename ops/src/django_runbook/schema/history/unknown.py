"""Finds migrations that a database has and this code has not: the code is older than the database.

Django says nothing of them: it runs, and ``migrate`` has nothing to do.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.database.target import absent
from django_runbook.schema.history.graph import Key, file_of, loaded
from django_runbook.schema.wording import first

SQUASHED = "_squashed_"


def unknown(alias: str = DEFAULT_DB_ALIAS, loader: MigrationLoader | None = None) -> list[str]:
    """Return what is recorded for an installed app and is in no file, as ``app.name``.

    What a file replaces is known. So is what a squash replaced whose files are gone since
    ``inv db.squash --finish``: it was recorded before the squash. An app of whose files none is
    recorded only has a label that another one had. Reads only. Raises ``MigrationsError`` where
    the files cannot be read.
    """
    if absent(alias):
        return []
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    recorded = {key: int(entry.pk) for key, entry in applied.items()}
    files = (loader or loaded()).disk_migrations
    known = {*files, *(old for one in files.values() for old in one.replaces)}
    used = {app for app, _name in known.intersection(recorded)}
    since = _squashed(files, recorded)
    return [
        f"{app}.{name}"
        for (app, name), number in sorted(recorded.items())
        if app in used and (app, name) not in known and number > since.get(app, 0)
    ]


def said(names: Iterable[str]) -> str:
    """Return the line that says so, with what to do; nothing where there is none."""
    found = [*names]
    if not found:
        return ""
    return (
        f"{first(found)} {'are' if found[1:] else 'is'} applied and in no file: the database is "
        "newer than this code. Deploy the code that has it, or undo it with that code first."
    )


def _squashed(files: Mapping[Key, Migration], recorded: Mapping[Key, int]) -> dict[str, int]:
    """Return, for each app, the entry by which its last squash was applied.

    A squash is known by what it replaces, and after its end by its name or by its proof.
    """
    since: dict[str, int] = {}
    for key, migration in files.items():
        proof = Path(file_of(migration).parent, "proofs", f"{key[1]}.json")
        if migration.replaces or SQUASHED in key[1] or proof.exists():
            own = [recorded[key]] if key in recorded else []
            entries = own or [recorded[old] for old in migration.replaces if old in recorded]
            since[key[0]] = max([since.get(key[0], 0), *entries])
    return since
