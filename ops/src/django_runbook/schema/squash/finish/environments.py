"""What an environment has applied: asked of its database, which is only read, or from a list."""

import datetime
import json
import os
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import load_backend

from django_runbook.config import Config
from django_runbook.schema.database.target import absent, target
from django_runbook.schema.database.url import settings_of
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import Key

FORMAT = 1
#: A list that is older may be from before a restore, or from before somebody migrated back.
OLDEST = datetime.timedelta(days=7)
#: Clocks of two machines may differ by so much.
SKEW = datetime.timedelta(minutes=5)
#: Seconds to wait for a server.
PATIENCE = 10
RECORD = MigrationRecorder.Migration._meta.db_table
MAKE_A_LIST = "manage.py applied_migrations --json"
DECLARE = (
    "Declare them in pyproject.toml, as in [tool.django-runbook.environments] "
    'production = "PRODUCTION_DATABASE_URL"'
)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What one environment has: recorded migrations and tables; ``source`` says who told it."""

    name: str
    source: str
    applied: frozenset[Key]
    tables: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What ``applied_migrations`` exports: ``created`` is aware UTC, migrations ``app.name``."""

    format: int
    created: datetime.datetime
    environment: str
    alias: str
    engine: str
    database: str
    migrations: tuple[str, ...]
    tables: tuple[str, ...]

    def to_json(self) -> str:
        """Return one JSON object, with the time in ISO 8601."""
        return json.dumps(asdict(self), default=datetime.datetime.isoformat, indent=2) + "\n"


def export(alias: str, *, now: datetime.datetime) -> Applied:
    """Return what the database of this alias has applied; reads only.

    Raises ``MigrationsError`` for a file of SQLite's that does not exist: it is not made.
    """
    at = target(alias)
    if absent(alias):
        raise MigrationsError(f"{at.database} does not exist. Run 'inv db.migrate' first.")
    applied, tables = _read(connections[alias])
    return Applied(
        format=FORMAT,
        created=now.astimezone(datetime.UTC),
        environment=at.environment,
        alias=alias,
        engine=at.engine,
        database=Path(at.database).name,
        migrations=tuple(sorted(".".join(key) for key in applied)),
        tables=tuple(sorted(tables)),
    )


def asked(name: str, variable: str, *, root: Path) -> Environment:
    """Ask the database of an environment in a transaction that may only read.

    ``variable`` holds its URL, in which an SQLite path is relative to ``root``. Raises
    ``MigrationsError``, which never repeats the URL.
    """
    url = os.environ.get(variable, "")
    otherwise = f"or add --applied {name}=FILE, made there by '{MAKE_A_LIST}'"
    if not url:
        raise MigrationsError(f"{name}: {variable} is not set. Set it, {otherwise}.")
    values = _values(url, root)
    if values is None:
        raise MigrationsError(
            f"{name}: {variable} is not a URL of postgresql://, mysql:// or sqlite:// with a name. "
            f"Mend it, {otherwise}."
        )
    try:
        with closing(load_backend(values["ENGINE"]).DatabaseWrapper(values, name)) as connection:
            applied, tables = _read(connection, guarded=connection.vendor != "sqlite")
    except (DatabaseError, ImproperlyConfigured) as error:
        reason = str(error).partition("\n")[0]
        raise MigrationsError(
            f"{name}: the database of {variable} says: {reason}. Mend that, {otherwise}."
        ) from error
    return Environment(name=name, source=variable, applied=applied, tables=tables)


def listed(name: str, file: Path, *, now: datetime.datetime) -> Environment:
    """Read what ``applied_migrations --json`` wrote in an environment.

    Raises ``MigrationsError`` for a file that is no such list, for one of another environment, and
    for one older than ``OLDEST``.
    """
    again = f"Make it again there: {MAKE_A_LIST} > {file.name}"
    try:
        values = json.loads(file.read_text("utf-8"))
        values["created"] = datetime.datetime.fromisoformat(values["created"])
        age = now - values["created"]
        for key in ("migrations", "tables"):
            values[key] = tuple(map(str, _list(values[key])))
        made = Applied(**values)
    except OSError as error:
        raise MigrationsError(
            f"{name}: {file} cannot be read: {error.strerror}. {again}"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise MigrationsError(f"{name}: {file} is no list of migrations. {again}") from error
    if made.format != FORMAT:
        raise MigrationsError(f"{name}: {file} has format {made.format}, not {FORMAT}. {again}")
    where = str(made.environment)
    if where and not re.fullmatch(f"{re.escape(where)}([_-].*)?", name):
        raise MigrationsError(f"{name}: {file} is a list of '{where}'. {again}")
    if not -SKEW <= age <= OLDEST:
        when = f"{made.created:%Y-%m-%d %H:%M} UTC"
        raise MigrationsError(
            f"{name}: {file} is of {when}, and may be {OLDEST.days} days old at most. {again}"
        )
    keys = (migration.split(".", 1) for migration in made.migrations)
    return Environment(
        name=name,
        source=file.name,
        applied=frozenset((key[0], key[-1]) for key in keys),
        tables=frozenset(made.tables),
    )


def _list(value: Any) -> list[Any]:
    """Return a list as it is. Raises ``TypeError`` for anything else."""
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _values(url: str, root: Path) -> dict[str, Any] | None:
    """Return Django's settings for a database; None for a URL that names none."""
    try:
        values = settings_of(url)
    except ValueError:
        return None
    if values["ENGINE"].endswith(("sqlite3", "spatialite")):
        values["NAME"] = f"{(root / values['NAME']).as_uri()}?mode=ro"
    else:
        values["OPTIONS"].setdefault("connect_timeout", PATIENCE)
    return dict(connections.configure_settings({"default": values})["default"])


def _read(connection: Any, *, guarded: bool = False) -> tuple[frozenset[Key], frozenset[str]]:
    """Return recorded migrations and tables; ``guarded``: where the server lets nobody write.

    A transaction and no setting of the session, which a pooler could hand to somebody else.
    """
    with connection.cursor() as cursor:
        if guarded:
            cursor.execute("START TRANSACTION READ ONLY")
        tables = frozenset(connection.introspection.table_names(cursor))
        rows: list[tuple[str, str]] = []
        if RECORD in tables:
            record = connection.ops.quote_name(RECORD)
            cursor.execute(f"SELECT app, name FROM {record}")  # noqa: S608  # a constant, quoted
            rows = cursor.fetchall()
        if guarded:
            cursor.execute("ROLLBACK")
    return frozenset((str(app), str(name)) for app, name in rows), tables


def everywhere(
    config: Config | None, lists: Mapping[str, Path], *, none: bool, now: datetime.datetime
) -> tuple[list[Environment], list[str]]:
    """Return what each environment has, and a line for each that cannot be asked.

    One that has a list in ``lists`` is not asked. ``none``: somebody knows that there is no
    environment. Raises ``MigrationsError`` where that is wrong, and where none is declared.
    """
    declared = config.environments if config else {}
    root = config.root if config else Path()
    if unknown := sorted(set(lists) - set(declared)):
        raise MigrationsError(
            f"'{unknown[0]}' is no declared environment"
            f"{': ' + ', '.join(declared) if declared else ''}. {DECLARE}."
        )
    if declared and none:
        raise MigrationsError(
            "--no-environments contradicts [tool.django-runbook.environments]: "
            f"{', '.join(declared)}."
        )
    if not declared and not none:
        raise MigrationsError(
            "No environment is declared, so nobody can tell whether all have recorded the squash. "
            f"{DECLARE}, or add --no-environments where there is none."
        )
    found: list[Environment] = []
    problems: list[str] = []
    for name, variable in declared.items():
        try:
            if name in lists:
                found.append(listed(name, lists[name], now=now))
            else:
                found.append(asked(name, variable, root=root))
        except MigrationsError as error:
            problems.append(str(error))
    return found, problems
