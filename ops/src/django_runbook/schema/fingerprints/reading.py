"""Reads the fingerprint of a database of any engine that has one."""

from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.fingerprints import postgresql, sqlite
from django_runbook.schema.fingerprints.fingerprint import Fingerprint

READERS = {"postgresql": postgresql.read, "sqlite": sqlite.read}


def fingerprint(connection: BaseDatabaseWrapper, like: Fingerprint | None = None) -> Fingerprint:
    """Return what the database is built of. Reads only, and takes no transaction of its own.

    On PostgreSQL every schema is read, but with ``like`` only those of the search path and of that
    fingerprint: a live server may hold what is none of the project's. Raises ``MigrationsError``
    for MariaDB and MySQL.
    """
    require_readable(connection)
    schemas = None if like is None else [name for name, _ in like.entries.get("schema", ())]
    entries = READERS[connection.vendor](connection, schemas)
    return Fingerprint(vendor=connection.vendor, entries=entries)


def require_readable(connection: BaseDatabaseWrapper) -> None:
    """Raise ``MigrationsError`` for an engine whose schema cannot be read."""
    if connection.vendor not in READERS:
        raise MigrationsError(
            f"The database '{connection.alias}' is {connection.display_name}: schemas are compared "
            f"on PostgreSQL and SQLite alone."
        )
