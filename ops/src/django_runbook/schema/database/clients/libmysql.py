"""Tells MySQL's client programs all that the application's driver is told.

Django's ``dbshell`` hands on who and where, and a few of OPTIONS. The programs of MySQL, of MariaDB
and of their releases have other options each: a program is asked which by its ``--help``.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.database.clients.client import Client
from django_runbook.schema.errors import NotHandedOnError

#: The options that name a database, before NAME.
DATABASE = ("database", "db")
#: What Django hands on itself.
DJANGO = (*DATABASE, "user", "password", "passwd", "host", "port", "read_default_file", "charset")
#: What concerns Python's side of the driver alone, or Django's.
DRIVER = (
    *("autocommit", "client_flag", "conv", "cursorclass", "isolation_level", "multi_statements"),
    *("named_pipe", "read_timeout", "use_unicode", "write_timeout"),
)
#: What has words of its own below.
OWN = ("collation", "init_command", "read_default_group", "sql_mode", "ssl", "ssl_mode")
#: Options of the programs that are not called as the driver's.
NAMES = {"auth_plugin": "default-auth", "unix_socket": "socket"}
#: MariaDB's words for ``ssl_mode``, as mysqlclient translates it; it can verify no less than all.
MARIADB = {
    "DISABLED": ("--skip-ssl",),
    "PREFERRED": (),
    "REQUIRED": ("--ssl", "--skip-ssl-verify-server-cert"),
    "VERIFY_CA": ("--ssl", "--ssl-verify-server-cert"),
    "VERIFY_IDENTITY": ("--ssl", "--ssl-verify-server-cert"),
}
SECRET = re.compile(r"(?i)passw|secret|token")


def client(
    connection: BaseDatabaseWrapper,
    command: Sequence[str],
    words: Sequence[str],
    *,
    session: Sequence[str] = (),
    database: str | None = None,
) -> Client:
    """Return a client's command line, as Django builds it, with all of OPTIONS.

    ``command`` is the program, ``words`` its own options, ``session`` statements to begin with,
    ``database`` another one on the same server. Raises ``NotHandedOnError`` where the program would
    go elsewhere, or connect less safely.
    """
    values = dict(connection.settings_dict)
    options = dict(values["OPTIONS"])
    if database is not None:
        kept = {key: value for key, value in options.items() if key not in DATABASE}
        values.update(NAME=database, OPTIONS=kept)
    argv, extra = connection.client.settings_to_cmd_args_env(values, list(words))
    program = _Program(command)
    own = [*_group(program, options), *_encryption(program, options)]
    told, untold = _others(program, options)
    own += told
    statements = [*_session(program, options), *session]
    if program.dumps and statements and not program.has("init-command"):
        untold.append("init_command")
    elif statements:
        own.append(f"--init-command={'; '.join(statements)}")
    first = 2 if argv[1:] and argv[1].startswith("--defaults-file") else 1  # it must stay the first
    environment = {**os.environ, **(extra or {})}
    return Client([*command, *argv[1:first], *own, *argv[first:]], environment, (), tuple(untold))


class _Program:
    """A client program, and which options it has."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command, self.name = command, Path(command[0]).name
        self.dumps = "dump" in self.name

    @cached_property
    def help(self) -> str:
        argv = [*self.command, "--no-defaults", "--help"]
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        return done.stdout.decode(errors="replace")

    def has(self, option: str) -> bool:
        """Tell whether it has an option."""
        return bool(re.search(rf"(?m)^ +(?:-\S, +)?--{re.escape(option)}(?![\w-])", self.help))


def _group(program: _Program, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield what lets a program read the driver's group of the option files, beside ``client``."""
    group = str(options.get("read_default_group") or "client")
    if group.startswith("client"):
        if suffix := group.removeprefix("client"):
            yield f"--defaults-group-suffix={suffix}"
    elif group != program.name:
        raise NotHandedOnError(
            f"OPTIONS names the group {group} of the option files, which {program.name} does not "
            f"read: call it client_{group}, there and in OPTIONS."
        )


def _encryption(program: _Program, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield how to encrypt; what cannot be told would be a connection that is less safe."""
    mode = str(options.get("ssl_mode") or "")
    if mode and program.has("ssl-mode"):
        yield f"--ssl-mode={mode}"
    elif mode:
        if mode.upper() not in MARIADB:
            raise _unsafe(program, f"ssl_mode {mode}")
        yield from MARIADB[mode.upper()]
    given = {f"ssl-{key}": value for key, value in (options.get("ssl") or {}).items()}
    for name in ("ssl-ca", "ssl-cert", "ssl-key"):
        given.pop(name, None)  # Django's
    given |= {
        key.replace("_", "-"): value
        for key, value in options.items()
        if key.startswith("ssl_") and key not in OWN
    }
    for name, value in given.items():
        if SECRET.search(name) or not program.has(name) or not isinstance(value, str | int):
            raise _unsafe(program, name.replace("-", "_"))
        yield _word(name, value)


def _session(program: _Program, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the statements with which the driver begins; a dump makes the last two its own way."""
    if command := options.get("init_command"):
        yield str(command).strip().rstrip(";")
    if program.dumps:
        return
    if collation := options.get("collation"):
        yield f"SET NAMES {options.get('charset', 'utf8mb4')} COLLATE {collation}"
    if mode := options.get("sql_mode"):
        yield f"SET SESSION sql_mode='{mode}'"


def _others(program: _Program, options: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the words for what else there is, and the names of what the program has not."""
    told, untold = [], []
    for key, value in options.items():
        if key in (*DJANGO, *DRIVER, *OWN) or key.startswith("ssl_") or value in (None, ""):
            continue
        name = NAMES.get(key, key.replace("_", "-"))
        if SECRET.search(key) or not isinstance(value, str | int) or not program.has(name):
            untold.append(key)
        else:
            told.append(_word(name, value))
    return told, untold


def _word(name: str, value: object) -> str:
    return f"--{name}={int(value) if isinstance(value, bool) else value}"


def _unsafe(program: _Program, what: str) -> NotHandedOnError:
    return NotHandedOnError(
        f"{program.name} cannot be told {what} of OPTIONS, and would connect less safely than the "
        "application: install a client that can, or take it out of OPTIONS."
    )
