"""Tells PostgreSQL's client programs all that the application's driver is told.

Django's ``dbshell`` hands on eight of libpq's keywords, and psql would go where the application
does not: to another of several hosts, without its search_path, past its ``target_session_attrs``.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

#: What the parameters of a connection hold beside libpq's keywords: the drivers' own, and Django's.
DRIVER = frozenset(
    [
        *("async", "async_", "autocommit", "client_encoding", "connection_factory", "context"),
        *("cursor_factory", "prepare_threshold", "row_factory"),
    ]
)
#: Keywords that Django gives as arguments, or in PGPASSWORD.
ARGUMENTS = ("user", "host", "port", "dbname", "password")
#: Secrets that libpq reads from no variable: psql asks for them, and they stand in no argument.
SECRET = ("sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret")
#: libpq's variables that are not PG and the keyword (manual, libpq, Environment Variables).
VARIABLES = {"application_name": "PGAPPNAME", "connect_timeout": "PGCONNECT_TIMEOUT"}


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


def command_line(
    connection: BaseDatabaseWrapper,
    words: Sequence[str],
    *,
    changes: Mapping[str, str] | None = None,
    options: str = "",
) -> tuple[list[str], dict[str, str]]:
    """Return arguments and environment of a client, as Django builds them, with all keywords.

    ``words`` are the client's own options, ``changes`` other values for keywords, ``options``
    settings for the session beside those of the environment's PGOPTIONS and of the application.
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
        if keyword not in (*ARGUMENTS, *SECRET) and value
    }
    if service:  # what its file says comes before variables, and after what is said here
        argv = [*(argv[:-1] if given.get("dbname") else argv), _conninfo(given)]
    return list(argv), {**os.environ, **(extra or {}), **environment}


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
