"""Tells PostgreSQL's client programs all that the application's driver is told.

Django's ``dbshell`` hands on eight of libpq's keywords, and psql would go where the application
does not: to another of several hosts, without its search_path, past its ``target_session_attrs``.
What libpq reads from no variable stands in a connection string, and secrets among that in a service
file that nobody else can open.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import IO, Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.database.clients.client import Client, place, private_file
from django_runbook.schema.errors import NotHandedOnError

#: What the parameters of a connection hold beside libpq's keywords: the drivers' own, and Django's.
DRIVER = frozenset(
    [
        *("async", "async_", "autocommit", "client_encoding", "connection_factory", "context"),
        *("cursor_factory", "prepare_threshold", "row_factory"),
    ]
)
#: Keywords that Django gives as arguments, or in PGPASSWORD.
ARGUMENTS = ("user", "host", "port", "dbname", "password")
#: Secrets that libpq reads from no variable, and that may stand in no argument.
SECRET = ("sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret")
#: What else it reads from no variable (manual, libpq, Environment Variables).
UNNAMED = (
    *("fallback_application_name", "keepalives", "keepalives_idle", "keepalives_interval"),
    *("keepalives_count", "tcp_user_timeout", "replication", "sslkeylogfile"),
    *("oauth_issuer", "oauth_client_id", "oauth_scope"),
)
#: Its variables that are not PG and the keyword.
VARIABLES = {"application_name": "PGAPPNAME", "connect_timeout": "PGCONNECT_TIMEOUT"}
#: The name of the service that holds secrets, and what no line of its file can hold.
SERVICE = "runbook"
NO_LINE = re.compile(r"[\r\n]|\s$")


def parameters(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return libpq's keywords as the driver gets them, the password among them."""
    given = connection.get_connection_params()
    return {
        keyword: str(value)
        for keyword, value in given.items()
        if keyword not in DRIVER and value is not None
    }


def reached(connection: Any) -> dict[str, str]:
    """Return the host, address and port that an open connection has: one of several, perhaps."""
    info = connection.connection.info
    found = {name: str(getattr(info, name, "") or "") for name in ("host", "hostaddr", "port")}
    return {name: value for name, value in found.items() if value}


def client(
    connection: BaseDatabaseWrapper,
    words: Sequence[str],
    *,
    changes: Mapping[str, str] | None = None,
    options: str = "",
) -> Client:
    """Return a client's command line, as Django builds it, with all keywords.

    ``words`` are the client's own options, ``changes`` other values for keywords, ``options``
    settings for the session beside those of the environment's PGOPTIONS and of the application.
    Raises ``NotHandedOnError`` for a secret that no file of a service can hold.
    """
    service = _said(connection, "service")
    given = {**parameters(connection), **(changes or {})}
    if options and (service or _said(connection, "target_session_attrs")):
        given.update(_settled(connection))
    values = {
        **connection.settings_dict,
        "NAME": given.get("dbname", ""),
        "USER": given.get("user", ""),
        "PASSWORD": given.get("password", ""),
        "HOST": given.get("host", ""),
        "PORT": given.get("port", ""),
    }
    argv, extra = connection.client.settings_to_cmd_args_env(values, list(words))
    given["options"] = _joined(os.environ.get("PGOPTIONS", ""), given.get("options", ""), options)
    environment = {
        _variable(keyword): value
        for keyword, value in given.items()
        if keyword not in (*ARGUMENTS, *SECRET, *UNNAMED) and value
    }
    files = _secrets(given, service)
    if files:
        environment |= {"PGSERVICEFILE": place(files[0]), "PGSERVICE": SERVICE}
    if service or any(map(given.get, UNNAMED)):
        # what a service's file says comes before variables, and after what is said here
        argv = [*(argv[:-1] if given.get("dbname") else argv), _conninfo(given)]
    return Client(list(argv), {**os.environ, **(extra or {}), **environment}, files)


def _secrets(given: Mapping[str, str], service: str) -> tuple[IO[bytes], ...]:
    """Return a service file with the secrets that no variable takes; none where there are none."""
    found = {keyword: given[keyword] for keyword in SECRET if given.get(keyword)}
    if not found:
        return ()
    if service:
        raise NotHandedOnError(
            f"OPTIONS has {', '.join(found)} beside the service {service}, and no client can be "
            "told of both: put it into the file of the service."
        )
    if odd := [keyword for keyword, value in found.items() if NO_LINE.search(value)]:
        raise NotHandedOnError(
            f"{odd[0]} of OPTIONS has a line break, or a space at its end, which no client can be "
            "told: choose another."
        )
    lines = [f"[{SERVICE}]", *(f"{keyword}={value}" for keyword, value in found.items()), ""]
    return (private_file("\n".join(lines)),)


def _joined(*settings: str) -> str:
    """Join settings of a session; what comes later counts, and nothing comes twice."""
    found: list[str] = []
    for text in settings:
        if text.strip() and text.strip() not in found:
            found.append(text.strip())
    return " ".join(found)


def _said(connection: BaseDatabaseWrapper, keyword: str) -> str:
    """Return what the application or the environment says of a keyword."""
    return parameters(connection).get(keyword) or os.environ.get(_variable(keyword), "")


def _variable(keyword: str) -> str:
    return VARIABLES.get(keyword, f"PG{keyword.replace('_', '').upper()}")


def _settled(connection: Any) -> dict[str, str]:
    """Return what a session with settings of its own needs to be where the application's is.

    They would keep those of a service's file away, and a session that only reads would not be
    taken for the one that ``target_session_attrs=read-write`` looks for. So ask the driver.
    """
    try:
        connection.ensure_connection()
    except DatabaseError:
        return {}  # the client says it
    at = {name: value for name, value in reached(connection).items() if name != "hostaddr"}
    options = str(connection.connection.info.options or "")
    return {**at, "options": options, "target_session_attrs": "any"}


def _conninfo(given: Mapping[str, str]) -> str:
    """Return a connection string without what Django gives as arguments, and without secrets."""
    left = (*ARGUMENTS[:3], *ARGUMENTS[4:], *SECRET)
    return " ".join(
        "{}='{}'".format(keyword, re.sub(r"([\\'])", r"\\\1", value))
        for keyword, value in given.items()
        if keyword not in left and value
    )
