"""Makes scratch databases, copies them, and puts them where Django looks for the real one."""

import itertools
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Never, cast

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from django_runbook.schema.errors import NoServerError, OtherDatabaseError
from django_runbook.schema.scratch.servers import FAST, Server, postgresql_server

BACKENDS = {
    "postgresql": "django.db.backends.postgresql",
    "sqlite": "django.db.backends.sqlite3",
}
NAME = "runbook_scratch"
#: Seconds after which a database that a killed process left may be dropped.
LEFT_BEHIND = 24 * 60 * 60
#: One for the process: two workshops may be open at once.
NUMBERS = itertools.count(1)


class Workshop:
    """Makes databases of one engine; all are gone when ``workshop`` ends.

    ``vendor`` is Django's word for the engine, ``origin`` where the server comes from, ``version``
    what it says of itself.
    """

    def __init__(self, vendor: str, alias: str, server: Server | None) -> None:
        self.vendor = vendor
        self.origin = server.origin if server else "in memory"
        self.version = ""
        self._alias = alias
        self._server = server
        self._made: list[BaseDatabaseWrapper] = []
        self._maintenance: BaseDatabaseWrapper | None = None
        if server:
            try:
                self._open(server)
            except BaseException:
                self.close()
                raise
        probe = self._maintenance or _connection({"ENGINE": self._backend(), "NAME": ":memory:"})
        self.version = ".".join(map(str, probe.get_database_version()))

    def create(self, copy_of: BaseDatabaseWrapper | None = None) -> BaseDatabaseWrapper:
        """Return a connection to a new database: empty, or with all that is in ``copy_of``."""
        if self._server is None:
            made = self._in_memory(copy_of)
        else:
            name = f"{NAME}_{int(time.time())}_{os.getpid()}_{next(NUMBERS)}"
            template = "template0"
            if copy_of is not None:
                copy_of.close()  # a database in use cannot be copied
                template = str(copy_of.settings_dict["NAME"])
            self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            values = {**self._values(self._server), "NAME": name}
            made = _connection(values, self._alias, self._server)
        self._made.append(made)
        return made

    def drop(self, made: BaseDatabaseWrapper) -> None:
        """Drop a database that is not needed any more."""
        self._made.remove(made)
        if self._server is None:
            BaseDatabaseWrapper.close(made)  # Django keeps a database in memory open
            return
        made.close()
        self._execute(f'DROP DATABASE IF EXISTS "{made.settings_dict["NAME"]}" WITH (FORCE)')

    def close(self) -> None:
        """Drop all that was made."""
        for made in list(self._made):
            self.drop(made)
        if self._maintenance:
            self._maintenance.close()

    def _open(self, server: Server) -> None:
        self._maintenance = _connection(self._values(server), server=server)
        try:
            self._maintenance.ensure_connection()
        except OperationalError as error:
            raise NoServerError(
                f"There is no connection to {server.origin} ({str(error).partition(chr(10))[0]}): "
                "start it, or set RUNBOOK_SCRATCH_DATABASE_URL to a server where databases may "
                "be made."
            ) from error
        with self._maintenance.cursor() as cursor:
            cursor.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = user")
            if not (cursor.fetchone() or [False])[0]:
                raise NoServerError(
                    f"The role may make no database on {server.origin}: grant it CREATEDB, or set "
                    f"RUNBOOK_SCRATCH_DATABASE_URL to a server where it may."
                )
            if server.origin == "embedded":
                for setting, value in FAST.items():
                    cursor.execute(f"ALTER SYSTEM SET {setting} = {value}")
                cursor.execute("SELECT pg_reload_conf()")
            cursor.execute(
                "SELECT datname FROM pg_database WHERE datname ~ %s"
                " AND split_part(datname, '_', 3)::bigint < %s",
                [f"^{NAME}_[0-9]+_", int(time.time()) - LEFT_BEHIND],
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        maintenance = cast("BaseDatabaseWrapper", self._maintenance)  # there is one with a server
        with maintenance.cursor() as cursor:
            cursor.execute(statement)

    def _backend(self) -> str:
        own = connections[self._alias]
        engine = str(own.settings_dict["ENGINE"])
        return engine if own.vendor == self.vendor else BACKENDS[self.vendor]

    def _values(self, server: Server) -> dict[str, Any]:
        """Return settings for the server, with the alias's own backend (PostGIS has one)."""
        kept = {
            name: server.settings.get(name, "") for name in ("USER", "PASSWORD", "HOST", "PORT")
        }
        dropped = ("pool", "assume_role")
        given = (server.settings.get("OPTIONS") or {}).items()
        options = {name: value for name, value in given if name not in dropped}
        name = server.settings.get("NAME") or "postgres"
        return {**kept, "ENGINE": self._backend(), "NAME": name, "OPTIONS": options}

    def _in_memory(self, copy_of: BaseDatabaseWrapper | None) -> BaseDatabaseWrapper:
        made = _connection({"ENGINE": self._backend(), "NAME": ":memory:"}, self._alias)
        made.ensure_connection()
        if copy_of is not None:
            copy_of.ensure_connection()
            copy_of.connection.backup(made.connection)
        return made


@contextmanager
def workshop(vendor: str, alias: str) -> Iterator[Workshop]:
    """Yield where scratch databases of ``postgresql`` or ``sqlite`` are made for this alias.

    Raises ``NoServerError`` where there is no PostgreSQL to be had.
    """
    if vendor == "sqlite":
        made = Workshop(vendor, alias, None)
        try:
            yield made
        finally:
            made.close()
        return
    with postgresql_server(alias) as server:
        made = Workshop(vendor, alias, server)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def in_place(made: BaseDatabaseWrapper, alias: str) -> Iterator[BaseDatabaseWrapper]:
    """Make a scratch database what ``connections[alias]`` is, and keep every real one out of reach.

    The code of a migration may name any alias: none but the scratch database answers, others raise
    ``OtherDatabaseError`` when they are asked.
    """
    before = {name: connections[name] for name in connections}
    settings = dict(connections.settings)
    try:
        for name in before:
            there = made if name == alias else _unreachable(settings[name], name, alias)
            connections.settings[name] = there.settings_dict
            connections[name] = there
        yield made
    finally:
        for name, connection in before.items():
            connections.settings[name] = settings[name]
            connections[name] = connection
        _forget_types()


def _connection(
    values: Mapping[str, Any], alias: str = "default", server: Server | None = None
) -> BaseDatabaseWrapper:
    values = connections.configure_settings({"default": dict(values)})["default"]
    wrapper: BaseDatabaseWrapper = load_backend(values["ENGINE"]).DatabaseWrapper(values, alias)
    plain = wrapper.connect

    def connect() -> None:
        """Connect where what listens to that finds this database, and not the real one."""
        before = connections[alias]
        connections[alias] = wrapper
        _forget_types()
        try:
            with server.environment() if server else nullcontext():
                plain()
        finally:
            connections[alias] = before
            _forget_types()

    wrapper.connect = connect  # type: ignore[method-assign]  # of this one alone
    return wrapper


def _forget_types() -> None:
    """Forget what django.contrib.postgres keeps by alias: each database numbers its own types."""
    signals = sys.modules.get("django.contrib.postgres.signals")
    if signals:
        signals.get_hstore_oids.cache_clear()
        signals.get_citext_oids.cache_clear()


def _unreachable(values: Mapping[str, Any], name: str, alias: str) -> BaseDatabaseWrapper:
    def refuse() -> Never:
        raise OtherDatabaseError(
            f"A migration asks the database '{name}', while '{alias}' is tried out on a scratch "
            f"database: let it use schema_editor.connection.alias."
        )

    made = _connection(values, name)
    made.connect = refuse  # type: ignore[method-assign]  # as above
    return made
