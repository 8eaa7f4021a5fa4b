"""Runs the database's own dump and restore programs."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO

from django.db import connections

from django_runbook.schema.database.clients import libmysql, libpq
from django_runbook.schema.database.clients.client import Client
from django_runbook.schema.database.clients.shell import from_package
from django_runbook.schema.errors import BackupFailedError

FAULT = re.compile(r"(?i)\b(error|fatal|panic)\b")
PLACE = re.compile(r"^(psql:\S+ |\w+: error: )?(ERROR:\s+|ERROR \d+ \(\w+\)( at line \d+)?: )?")
LONGEST = 300


def client(
    alias: str,
    program: str,
    *parameters: str,
    database: str | None = None,
    at: Mapping[str, str] | None = None,
) -> Client:
    """Return a command line that connects as ``dbshell`` does; no secret is among its words.

    Django gives its arguments for psql and mysql; the dump programs take the same. ``database`` is
    another one on the same server, ``at`` the very server of PostgreSQL that was reached. Raises
    ``NotHandedOnError``.
    """
    connection = connections[alias]
    if connection.vendor == "mysql":
        return libmysql.client(connection, [program], parameters, database=database)
    told = libpq.client(connection, parameters, changes=at)
    return replace(told, argv=[program, *told.argv[1:]])


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
            client.argv,
            env=client.environment,
            pass_fds=client.descriptors,
            stdin=stdin,
            stdout=stdout,
            stderr=errors,
        )
    except OSError as error:
        raise BackupFailedError(f"{client.argv[0]} does not start: {error.strerror}.") from error
    finally:
        client.close()


def run(client: Client, *, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None) -> str:
    """Run a client to its end and return what it printed, unless ``stdout`` takes that.

    Raises ``BackupFailedError`` with the client's own reason.
    """
    try:
        done = subprocess.run(
            client.argv,
            env=client.environment,
            pass_fds=client.descriptors,
            stdin=stdin or DEVNULL,
            stdout=stdout or PIPE,
            stderr=PIPE,
            check=False,
        )
    except OSError as error:
        raise BackupFailedError(f"{client.argv[0]} does not start: {error.strerror}.") from error
    finally:
        client.close()
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
