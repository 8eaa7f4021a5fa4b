"""Runs the database's own dump and restore programs."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO

from django.db import connections

from django_runbook.schema.database import libpq
from django_runbook.schema.database.shell import Client, from_package, mysql_words
from django_runbook.schema.errors import BackupFailedError

FAULT = re.compile(r"(?i)\b(error|fatal|panic)\b")
PLACE = re.compile(r"^(psql:\S+ |\w+: error: )?(ERROR:\s+|ERROR \d+ \(\w+\)( at line \d+)?: )?")
LONGEST = 300
#: The options that name a database for MySQL, before NAME.
NAMES = ("database", "db")


def client(
    alias: str,
    program: str,
    *parameters: str,
    database: str | None = None,
    at: Mapping[str, str] | None = None,
) -> Client:
    """Return a command line that connects as ``dbshell`` does; the password is in its environment.

    Django gives its arguments for psql and mysql; the dump programs take the same. ``database`` is
    another one on the same server, ``at`` the very server of PostgreSQL that was reached.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql":
        argv, environment = libpq.command_line(connection, parameters, changes=at)
        return Client([program, *argv[1:]], environment)
    values = dict(connection.settings_dict)
    if database is not None:
        options = {key: value for key, value in values["OPTIONS"].items() if key not in NAMES}
        values.update(NAME=database, OPTIONS=options)
    words, extra = connection.client.settings_to_cmd_args_env(values, list(parameters))
    return Client([program, *mysql_words(connection, words[1:])], {**os.environ, **(extra or {})})


def candidates(program: str) -> list[str]:
    """Return where a program is: the one on PATH, then the one that a Python package brings."""
    found = shutil.which(program)
    return [*([found] if found else []), *(from_package(program) or [])]


def start(
    client: Client, errors: IO[bytes], *, stdin: int = DEVNULL, stdout: int | IO[bytes] = DEVNULL
) -> "subprocess.Popen[bytes]":
    """Start a client. Raises ``BackupFailedError`` where the program cannot be run."""
    try:
        return subprocess.Popen(
            client.argv, env=client.environment, stdin=stdin, stdout=stdout, stderr=errors
        )
    except OSError as error:
        raise BackupFailedError(f"{client.argv[0]} does not start: {error.strerror}.") from error


def run(client: Client, *, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> str:
    """Run a client to its end and return what it printed, unless ``stdout`` takes that.

    Raises ``BackupFailedError`` with the client's own reason.
    """
    try:
        done = subprocess.run(
            client.argv,
            env=client.environment,
            stdin=stdin or DEVNULL,
            stdout=stdout or PIPE,
            stderr=PIPE,
            check=False,
        )
    except OSError as error:
        raise BackupFailedError(f"{client.argv[0]} does not start: {error.strerror}.") from error
    if done.returncode:
        raise BackupFailedError(failure(client.argv, done.stderr, done.returncode))
    return (done.stdout or b"").decode(errors="replace")


def failure(argv: Sequence[str], stderr: bytes, code: int) -> str:
    """Return one line: which program failed, and the first error that it told.

    The lines behind that one are left out: a server quotes rows in them.
    """
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    told = next(filter(FAULT.search, lines), lines[-1] if lines else f"exit code {code}")
    return f"{Path(argv[0]).name} failed: {PLACE.sub('', told)[:LONGEST].rstrip('.')}."
