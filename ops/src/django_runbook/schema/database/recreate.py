"""Asks the server, before a database is dropped, whether it could be made again."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

#: ``reset_db`` of django-extensions connects to it, and copies it.
TEMPLATE = "template1"
#: The name that scratch databases have: one that a killed process left is dropped a day later.
TRIAL = "runbook_scratch_{time}_{pid}_0"
EXISTS = 1007  # MySQL's number of "database exists"; without the right it is another one
#: Django's own, or what says which database to use for MySQL.
DROPPED = ("assume_role", "pool", "database", "db")
OWNER = """
    SELECT pg_get_userbyid(datdba), pg_has_role(session_user, datdba, 'USAGE')
    FROM pg_database WHERE datname = %s
"""


def cannot_recreate(alias: str) -> str | None:
    """Return in one line why ``alias``'s database, once dropped, could not be made again.

    None where it could, and for an engine that is not known here. PostgreSQL makes an empty
    database under another name and drops it: rights, encoding, the template's sessions and its
    collation are all in that. MySQL is told to create the database that is there: it says whether
    that was denied or only needless. Raises nothing: a server that cannot be reached is a reason.
    """
    connection = connections[alias]
    checks = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}
    if connection.vendor not in checks:
        return None
    return checks[connection.vendor](connection)


def _postgresql(connection: BaseDatabaseWrapper) -> str | None:
    name = str(connection.settings_dict["NAME"])
    trial = TRIAL.format(time=int(time.time()), pid=os.getpid())
    made = _elsewhere(connection, TEMPLATE)
    try:
        with made.cursor() as cursor:
            cursor.execute("SELECT session_user")
            (role,) = cursor.fetchone()
            cursor.execute(OWNER, [name])
            for owner, may_drop in cursor.fetchall():
                if not may_drop:
                    return f"{name} belongs to {owner}, and {role} may not drop it."
            try:
                cursor.execute(f"CREATE DATABASE \"{trial}\" ENCODING 'UTF8'")
            except Error as error:
                right = "permission denied" in str(error)
                hint = f" Let a superuser run: ALTER ROLE {role} CREATEDB." if right else ""
                return f"{role} could not create it again: {_first_line(error)}.{hint}"
            cursor.execute(f'DROP DATABASE "{trial}"')
    except Error as error:
        return f"{TEMPLATE} cannot be asked whether it could be made again: {_first_line(error)}."
    finally:
        made.close()
    return None


def _mysql(connection: BaseDatabaseWrapper) -> str | None:
    name = str(connection.settings_dict["NAME"])
    made = _elsewhere(connection, "")
    try:
        with made.cursor() as cursor:
            cursor.execute("SELECT schema_name FROM information_schema.schemata")
            if name not in [row[0] for row in cursor.fetchall()]:
                return None  # nothing is lost
            cursor.execute(f"CREATE DATABASE {made.ops.quote_name(name)}")
    except Error as error:
        if error.args[0] == EXISTS:
            return None
        return f"The role could not create {name} again: {error.args[-1]}."
    finally:
        made.close()
    return None


def _sqlite(connection: Any) -> str | None:
    if connection.is_in_memory_db():
        return None
    name = str(connection.settings_dict["NAME"])
    if name.startswith("file:"):
        return f"{name} is an address and no path, which reset_db would leave as it is."
    folder = Path(name).absolute().parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"No file can be made in {folder}: {error.strerror}."


def _elsewhere(connection: BaseDatabaseWrapper, name: str) -> Any:
    """Return a new connection to another database of the server, with the settings' own role."""
    made = connection.copy()
    options = made.settings_dict["OPTIONS"]
    made.settings_dict.update(
        NAME=name,
        AUTOCOMMIT=True,  # no database is made in a transaction
        OPTIONS={key: value for key, value in options.items() if key not in DROPPED},
    )
    return made


def _first_line(error: Error) -> str:
    return str(error).partition("\n")[0].rstrip(".")
