"""Loads squashed files beside the tree's, which stays as it is, and writes them in the end."""

import importlib
import linecache
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.git import git
from django_runbook.schema.history.graph import Key
from django_runbook.schema.squash.squash_plan import Segment, SquashPlan


def staged(segment: Segment) -> Migration:
    """Return the migration that a segment's text is, as if the file was there.

    Its module is imported under the name that it will have, for Django looks functions up by that.
    Raises ``MigrationsError`` for a text that is no Python, or cannot be imported.
    """
    package, _ = MigrationLoader.migrations_module(segment.app_label)
    module = ModuleType(f"{package}.{segment.name}")
    module.__file__ = str(segment.file)
    module.__package__ = package
    lines = segment.text.splitlines(keepends=True)
    linecache.cache[str(segment.file)] = (len(segment.text), None, lines, str(segment.file))
    sys.modules[module.__name__] = module
    try:
        exec(compile(segment.text, str(segment.file), "exec"), vars(module))  # noqa: S102  # as an import does
        migration: Migration = module.Migration(segment.name, segment.app_label)
    except Exception as error:
        del sys.modules[module.__name__]
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise MigrationsError(
            f"{segment.file.name}{line}: the squashed file cannot be imported, "
            f"{type(error).__name__}: {getattr(error, 'msg', error)}. Nothing was written."
        ) from error
    return migration


def loader(
    segments: Sequence[Segment],
    *,
    connection: BaseDatabaseWrapper | None = None,
    alone: bool = False,
) -> MigrationLoader:
    """Return a loader that sees the segments beside the tree's migrations.

    ``connection``: whose record of applied migrations counts. ``alone``: as after ``--finish``:
    what they replace is gone, and ``replaces`` with it.
    """
    return _Loader(segments, connection, alone=alone)


class _Loader(MigrationLoader):
    def __init__(
        self, segments: Sequence[Segment], connection: BaseDatabaseWrapper | None, *, alone: bool
    ) -> None:
        self._segments = segments
        self._alone = alone
        super().__init__(connection, ignore_no_migrations=True)

    def load_disk(self) -> None:
        super().load_disk()
        found: dict[Key, Migration] = self.disk_migrations
        for segment in self._segments:
            found[segment.app_label, segment.name] = staged(segment)
        if self._alone:
            new = {
                (one.app_label, old): (one.app_label, one.name)
                for one in self._segments
                for old in one.names
            }
            for key in new:
                found.pop(key, None)
            for key, migration in found.items():
                _point(migration, key, new)


def _point(migration: Migration, key: Key, new: dict[Key, Key]) -> None:
    """Have a migration name the squashed ones, and replace none of what is gone."""
    if key in new.values():
        vars(migration)["replaces"] = []
    for name in ("dependencies", "run_before"):
        given = [new.get(tuple(one), one) for one in getattr(migration, name)]
        setattr(migration, name, [one for one in dict.fromkeys(given) if one != key])


def write(plan: SquashPlan, *, allow_dirty: bool = False) -> tuple[Path, ...]:
    """Write the files of a plan into the tree, all or none, and return them.

    Raises ``MigrationsError``, and writes nothing, where one is there already, and for a folder of
    migrations in which git sees changes, unless ``allow_dirty``.
    """
    files = {segment.file: segment.text for segment in plan.segments}
    if not allow_dirty:
        for folder in {file.parent for file in files}:
            _require_clean(folder)
    for file in files:
        if os.path.lexists(file):
            raise MigrationsError(f"{file} is there already. Nothing was changed.")
    made: list[Path] = []
    try:
        for file, text in files.items():
            made.append(_beside(file))
            _beside(file).write_text(text, "utf-8")
        for file in files:
            _beside(file).rename(file)
            made.append(file)
    except OSError as error:
        for file in made:
            file.unlink(missing_ok=True)
        raise MigrationsError(
            f"{error.filename} cannot be written: {error.strerror}. Nothing was changed."
        ) from error
    importlib.invalidate_caches()
    return tuple(files)


def _beside(file: Path) -> Path:
    """Return a name in the same folder that Django takes for no migration."""
    return file.with_name(f".{file.name}.{os.getpid()}")


def _require_clean(folder: Path) -> None:
    """Raise ``MigrationsError`` where git sees changes in a folder; without git, it is clean."""
    if shutil.which("git") is None:
        return
    done = git(folder, "status", "--porcelain", "--", ".")
    if done.returncode == 0 and done.stdout.strip():
        raise MigrationsError(
            f"{folder} has changes that are not committed: {done.stdout.split()[-1]}. Commit them, "
            "so that the squash can be told apart."
        )
