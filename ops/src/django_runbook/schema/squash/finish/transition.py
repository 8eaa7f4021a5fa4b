"""The transition: a squash that every environment has recorded becomes a normal migration."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import Key, file_of, is_installed, loaded, require_linear
from django_runbook.schema.history.half_squashed import made_tables
from django_runbook.schema.squash.finish.environments import Environment
from django_runbook.schema.squash.finish.proved_files import proof_files
from django_runbook.schema.squash.finish.worktree import mentions, require_clean
from django_runbook.schema.squash.source.rewriting import renamed, without_replaces


class Standing(Enum):
    """Where an environment stands towards a squash."""

    RECORDED = auto()
    #: All that is replaced is applied; the next ``migrate`` records the squash.
    COMPLETE = auto()
    #: Some of what is replaced is applied, and the rest needs the old files.
    PARTIAL = auto()
    #: Nothing is recorded, and there are tables: Django would say "(no migrations)", or fail.
    TABLES = auto()
    NOTHING = auto()


@dataclass(frozen=True, kw_only=True)
class Unready:
    """An environment that has not recorded a squash. ``missing`` is what it has not applied."""

    environment: str
    source: str
    app_label: str
    squash: str
    standing: Standing
    missing: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finish:
    """What a transition changes: the new text of files, and the files that go.

    ``mentions`` are other tracked files, from the top of the work tree, that name what goes.
    """

    app_label: str
    squashes: tuple[str, ...]
    removed: tuple[Path, ...]
    changed: Mapping[Path, str]
    unready: tuple[Unready, ...] = ()
    mentions: tuple[str, ...] = ()
    before: Mapping[Path, str] = field(default_factory=dict, repr=False)


def prepare(app_label: str, *, environments: Iterable[Environment]) -> Finish:
    """Return what the transition of an app's squashes would change, and who is not ready for it.

    Raises ``MigrationsError`` for an app without a squash, for an installed one, for a work tree
    that is not clean, and for a migration that names what goes and cannot be changed.
    """
    loader = loaded()
    require_linear(loader)
    squashes = _squashes(loader, app_label)
    going = {old: squash.name for squash in squashes for old in _replaced(loader, squash)}
    gone = {key: one for key, one in loader.disk_migrations.items() if key in going}
    names = {key: (app_label, new) for key, new in going.items()}
    changed: dict[Path, str] = {}
    before: dict[Path, str] = {}
    for key, migration in sorted(loader.disk_migrations.items()):
        if key in gone or not (key in _keys(squashes) or _names(migration) & set(going)):
            continue
        file = file_of(migration)
        before[file] = _read(file)
        changed[file] = _new_text(migration, before[file], names, plain=key in _keys(squashes))
    removed = tuple(file_of(one) for _, one in sorted(gone.items()))
    top = require_clean(file_of(squashes[0]).parent, [*removed, *changed])
    before |= {file: _read(file) for file in removed}
    return Finish(
        app_label=app_label,
        squashes=tuple(squash.name for squash in squashes),
        removed=removed,
        changed=changed,
        unready=tuple(_unready(environments, squashes)),
        mentions=mentions(top, gone, loader.disk_migrations, [*before, *proof_files()]),
        before=before,
    )


def finish(prepared: Finish) -> None:
    """Change the files, all or none. Whoever calls has looked at ``unready``."""
    try:
        for file, text in prepared.changed.items():
            _write(file, text)
        for file in prepared.removed:
            file.unlink()
    except BaseException:
        for file, text in prepared.before.items():
            _write(file, text)
        raise


def _squashes(loader: MigrationLoader, app_label: str) -> list[Migration]:
    """Return the app's squashes that no other squash replaces, in their order."""
    own = [one for key, one in sorted(loader.disk_migrations.items()) if key[0] == app_label]
    if not own:
        raise MigrationsError(f"{app_label} has no migrations.")
    inner = {tuple(old) for one in own for old in one.replaces}
    found = [one for one in own if one.replaces and (app_label, one.name) not in inner]
    if not found:
        raise MigrationsError(
            f"{app_label} has no squashed migration that replaces others: there is nothing to "
            f"finish. Squash first: 'inv db.squash {app_label}'."
        )
    for one in found:
        if is_installed(file_of(one)):
            raise MigrationsError(
                f"{app_label} is an installed package: its migrations are not yours to change."
            )
    return found


def _replaced(loader: MigrationLoader, squash: Migration) -> set[Key]:
    """Return all that a squash replaces, and what those replace that are squashes themselves."""
    found: set[Key] = set()
    new = {(str(app), str(name)) for app, name in squash.replaces}
    while new:
        found |= new
        inner = (loader.disk_migrations[key].replaces for key in new & set(loader.disk_migrations))
        new = {(str(app), str(name)) for keys in inner for app, name in keys} - found
    return found


def _new_text(migration: Migration, text: str, names: Mapping[Key, Key], *, plain: bool) -> str:
    """Return the text of a migration that stays. Raises ``MigrationsError`` where it cannot be."""
    file, old = file_of(migration), sorted(_names(migration) & set(names))
    if is_installed(file):
        raise MigrationsError(
            f"{migration} is an installed package's and depends on {'.'.join(old[0])}, which "
            "would go: keep the old files, or replace the package."
        )
    text, found = renamed(text, names)
    if computed := [key for key in old if key not in found]:
        raise MigrationsError(
            f"{file} depends on {'.'.join(computed[0])} in a way that is not written out: name "
            f'("{names[computed[0]][0]}", "{names[computed[0]][1]}") there by hand, and commit.'
        )
    without = without_replaces(text) if plain else text
    if without is None:
        raise MigrationsError(
            f"{file}: 'replaces' is not set in its class: set it there as a list, and commit."
        )
    return without


def _unready(
    environments: Iterable[Environment], squashes: Sequence[Migration]
) -> Iterable[Unready]:
    for environment in environments:
        for squash in squashes:
            tables = made_tables([squash]) & environment.tables
            found = standing(squash, environment.applied, tables)
            if found is not Standing.RECORDED:
                keys = [(str(app), str(name)) for app, name in squash.replaces]
                yield Unready(
                    environment=environment.name,
                    source=environment.source,
                    app_label=squash.app_label,
                    squash=squash.name,
                    standing=found,
                    missing=tuple(
                        name for app, name in keys if (app, name) not in environment.applied
                    ),
                    tables=tuple(sorted(tables)),
                )


def standing(squash: Migration, applied: Collection[Key], tables: Collection[str]) -> Standing:
    """Tell where a database stands towards a squash; ``tables`` are those of its that are there.

    A recorded squash does not say that all of it is applied: Django leaves it in the record where
    somebody migrates back into its midst (``MigrationExecutor.migration_plan``).
    """
    there = [tuple(old) in applied for old in squash.replaces]
    if any(there) and not all(there):
        return Standing.PARTIAL
    if (squash.app_label, squash.name) in applied:
        return Standing.RECORDED
    if all(there):
        return Standing.COMPLETE
    return Standing.TABLES if tables else Standing.NOTHING


def _keys(migrations: Iterable[Migration]) -> set[Key]:
    return {(one.app_label, one.name) for one in migrations}


def _names(migration: Migration) -> set[Key]:
    """Return the migrations that this one names."""
    return {(str(app), str(name)) for app, name in (*migration.dependencies, *migration.run_before)}


def _read(file: Path) -> str:
    """Return a file's text with the line ends that it has."""
    with file.open(encoding="utf-8", newline="") as content:
        return content.read()


def _write(file: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    new = file.with_name(f".{file.name}.new")
    with new.open("w", encoding="utf-8", newline="") as content:
        content.write(text)
    if file.exists():
        new.chmod(file.stat().st_mode)
    new.replace(file)
