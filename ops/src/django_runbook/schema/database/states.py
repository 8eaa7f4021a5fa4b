"""Compares states: the migrations that a backup holds, a database has applied, the code has."""

from collections.abc import Iterable

from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.database.target import absent
from django_runbook.schema.errors import BackupRefusedError
from django_runbook.schema.wording import first

ALLOW = "--allow-state-change"


def applied(alias: str) -> tuple[str, ...]:
    """Return the migrations that are recorded as applied, as sorted ``app.name``.

    Reads only. An SQLite file that does not exist has none, and is not made.
    """
    if absent(alias):
        return ()
    recorded = MigrationRecorder(connections[alias]).applied_migrations()
    return tuple(sorted(f"{app}.{name}" for app, name in recorded))


def changes_state(backup: Iterable[str], alias: str) -> bool:
    """Tell whether restoring migrations in this state would leave the database in another one."""
    replaced = _replaced()
    return _spelt_out(backup, replaced) != _spelt_out(applied(alias), replaced)


def require_same_state(backup: Iterable[str], alias: str) -> None:
    """Raise ``BackupRefusedError`` where a restore would bring a state that the code is not for.

    The code must have what the backup holds, and the database must have the backup's migrations
    applied, all of them and no more; an empty database has no state to lose. Migrations that the
    database has as well are no reason, although the code has them no longer: a squash leaves such.
    """
    replaced = _replaced()
    code = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    held, known = _spelt_out(backup, replaced), _spelt_out(code, replaced)
    there = _spelt_out(applied(alias), replaced)
    if unknown := sorted(held - known - there):
        raise BackupRefusedError(
            f"The backup holds {first(unknown)}, which this code does not have: check out the "
            f"code that it was made with, or add {ALLOW}."
        )
    if not there:
        _require_empty(alias)
        return
    if lacking := sorted(there - held):
        raise BackupRefusedError(
            f"The backup lacks {first(lacking)}, which the database has applied: take a newer "
            f"backup, or add {ALLOW} and run 'inv db.migrate' afterwards."
        )
    if ahead := sorted(held - there):
        raise BackupRefusedError(
            f"The backup holds {first(ahead)}, which the database has not applied: "
            f"run 'inv db.migrate' first, or add {ALLOW}."
        )


def _require_empty(alias: str) -> None:
    """Raise ``BackupRefusedError`` for tables of somebody else's: a restore would drop them."""
    tables = [] if absent(alias) else sorted(connections[alias].introspection.table_names())
    if tables:
        raise BackupRefusedError(
            f"The database has no migrations applied and holds {first(tables)}, which a restore "
            f"would drop: check DATABASE_URL, or add {ALLOW}."
        )


def _replaced() -> dict[str, set[str]]:
    """Return what each squashed migration of the code stands for."""
    return {
        f"{app}.{name}": {f"{old_app}.{old}" for old_app, old in migration.replaces}
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if migration.replaces
    }


def _spelt_out(names: Iterable[str], replaced: dict[str, set[str]]) -> frozenset[str]:
    """Return the names with every squashed migration taken apart, so that both forms are equal.

    Where parts of one are recorded themselves, they alone count: Django leaves the squash in its
    record when it goes back to one of them.
    """
    given = set(names)
    plain: set[str] = set()
    for name in given:
        parts = replaced.get(name, {name})
        if name not in replaced:
            plain.add(name)
        elif not parts & given:
            plain |= _spelt_out(parts, replaced)
    return frozenset(plain)
