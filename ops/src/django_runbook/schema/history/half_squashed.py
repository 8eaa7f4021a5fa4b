"""Finds apps whose recorded migrations and files have parted, as half-done squashes leave them.

Django says nothing of it: it applies a squashed migration onto tables that are there, which fails
with "relation already exists", or it leaves the migration out of its graph, shows
"(no migrations)" and keeps an old schema (``MigrationLoader.build_graph``).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections, router
from django.db.migrations import CreateModel, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.database.target import absent
from django_runbook.schema.history.graph import Key, file_of


class Kind(Enum):
    """What is wrong with an app."""

    #: A squash replaces applied and unapplied migrations, and the files of the unapplied are gone.
    PASSED_OVER = auto()
    #: A squash is recorded, and nothing that it replaces is; Django takes it for unapplied.
    UNFINISHED = auto()
    #: Migrations without a file are recorded, none of those with one, and the tables are there.
    REPLACED = auto()
    #: A migration makes tables that are there, made by one that has no file any more.
    RENAMED = auto()
    #: No migration is recorded, and tables that the first ones make are there.
    NO_RECORD = auto()


@dataclass(frozen=True, kw_only=True)
class Stray:
    """An app that is not as its database has it.

    ``name`` is the migration that Django would apply or leave out, ``gone`` are those without a
    file, ``tables`` those that are there already, ``folder`` is where the files were.
    """

    kind: Kind
    app_label: str
    name: str
    folder: Path
    gone: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


def strays(loader: MigrationLoader, alias: str) -> list[Stray]:
    """Return what is wrong between the files and the database; reads only."""
    connection = connections[alias]
    if absent(alias):
        return []
    recorded = frozenset(MigrationRecorder(connection).applied_migrations())
    there = frozenset(connection.introspection.table_names())
    apps: dict[str, dict[Key, Migration]] = {}
    for key, migration in sorted(loader.disk_migrations.items()):
        apps.setdefault(key[0], {})[key] = migration
    return [
        stray
        for migrations in apps.values()
        for stray in (*_squashes(migrations, recorded), *_files(migrations, recorded, there, alias))
    ]


def made_tables(migrations: Iterable[Migration], alias: str | None = None) -> set[str]:
    """Return the tables that migrations create; with ``alias`` those that it is routed."""
    return {
        str(operation.options.get("db_table") or f"{migration.app_label}_{operation.name_lower}")
        for migration in migrations
        for operation in _operations(migration.operations)
        if isinstance(operation, CreateModel)
        and _makes_a_table(migration.app_label, operation)
        and (
            alias is None
            or router.allow_migrate(alias, migration.app_label, model_name=operation.name_lower)
        )
    }


def _squashes(migrations: Mapping[Key, Migration], recorded: Collection[Key]) -> Iterator[Stray]:
    for key, migration in migrations.items():
        gone = [old for old in migration.replaces if old not in recorded and old not in migrations]
        some = any(old in recorded for old in migration.replaces)
        if gone and (some or key in recorded):
            yield Stray(
                kind=Kind.PASSED_OVER if some else Kind.UNFINISHED,
                app_label=key[0],
                name=key[1],
                folder=file_of(migration).parent,
                gone=tuple(name for _, name in gone),
            )


def _files(
    migrations: Mapping[Key, Migration],
    recorded: Collection[Key],
    there: Collection[str],
    alias: str,
) -> Iterator[Stray]:
    known = {*migrations, *(old for one in migrations.values() for old in one.replaces)}
    app_label = next(iter(migrations))[0]
    own = {key for key in recorded if key[0] == app_label}
    gone = tuple(sorted(name for _, name in own - known))
    if own and not gone:
        return
    for key, migration in migrations.items():
        taken = made_tables([migration], alias).intersection(there)
        if not taken or key in own or own.intersection(migration.replaces):
            continue
        yield Stray(
            kind=Kind.RENAMED if own & known else Kind.REPLACED if gone else Kind.NO_RECORD,
            app_label=app_label,
            name=key[1],
            folder=file_of(migration).parent,
            gone=gone,
            tables=tuple(sorted(taken)),
        )
        return


def _operations(operations: Iterable[Any]) -> Iterator[Any]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _operations(operation.database_operations)
        else:
            yield operation


def _makes_a_table(app_label: str, operation: CreateModel) -> bool:
    swappable = operation.options.get("swappable")
    swapped = getattr(settings, swappable, "") if swappable else ""
    return (
        operation.options.get("managed", True)
        and not operation.options.get("proxy")
        and (not swapped or swapped.lower() == f"{app_label}.{operation.name_lower}")
    )
