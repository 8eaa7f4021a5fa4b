"""What a connection really reaches: asked of the driver and of the server, not of the settings.

libpq fills in what the settings leave out from PGHOST, PGHOSTADDR, PGPORT, PGSERVICE and service
files, and chooses among several hosts (PostgreSQL's manual, libpq, Environment Variables); MySQL's
client reads option files. Only the connection knows how that came out.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Where a connection leads. ``socket``: through a file of this machine; ``local``: within it.

    ``answered`` is false where the server did not: then all is as the settings say.
    """

    host: str
    port: str
    database: str
    user: str
    socket: bool = False
    local: bool = False
    replica: bool = False
    answered: bool = True


def reached(alias: str, *, connect: bool = True) -> Reached:
    """Return where the alias's connection leads. Only reads; without ``connect``, the settings."""
    connection: Any = connections[alias]
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return Reached(
            host="", port="", database=str(values["NAME"]), user="", socket=True, local=True
        )
    ask = {"postgresql": _postgresql, "mysql": _mysql}.get(connection.vendor)
    try:
        if connect and ask:
            connection.ensure_connection()
            return ask(connection)
    except (DatabaseError, ImproperlyConfigured, OSError, TypeError, ValueError):
        pass  # whoever uses the connection next says it better
    return Reached(
        host=str(values["HOST"]),
        port=str(values["PORT"]),
        database=str(values["NAME"]),
        user=str(values["USER"]),
        answered=False,
    )


def is_loopback(place: str) -> bool:
    """Tell whether a host or an address is this machine by its name alone."""
    if place == "localhost":
        return True
    try:
        return ipaddress.ip_address(place).is_loopback
    except ValueError:
        return False


def _postgresql(connection: Any) -> Reached:
    info = connection.connection.info
    given = getattr(info, "dsn_parameters", {})  # psycopg2's; psycopg has the address itself
    address = str(getattr(info, "hostaddr", "") or given.get("hostaddr", "") or "")
    host = str(info.host or "")
    socket = host.startswith(("/", "@")) or (not host and not address)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_user, pg_is_in_recovery()")
        database, user, replica = cursor.fetchone()
    places = [place for place in (host, address) if place]
    return Reached(
        host=host or address,
        port=str(info.port or ""),
        database=str(database),
        user=str(user),
        socket=socket,
        local=socket or all(map(is_loopback, places)),
        replica=bool(replica),
    )


def _mysql(connection: Any) -> Reached:
    host, _, way = connection.connection.get_host_info().partition(" via ")
    with connection.cursor() as cursor:
        cursor.execute("SELECT database(), current_user(), @@port")
        database, user, port = cursor.fetchone()
    socket = "socket" in way.lower()
    return Reached(
        host="localhost" if socket else host,
        port="" if socket else str(port),
        database=str(database or ""),
        user=str(user).partition("@")[0],
        socket=socket,
        local=socket or is_loopback(host),
    )
