"""A shell that only reads: the server is asked, through the same client, whether it is one."""

import argparse
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import connections

from django_runbook.schema.database.clients.client import Client
from django_runbook.schema.database.clients.shell import database_client
from django_runbook.schema.errors import NotReadOnlyError

MARK = "runbook-session"
POSTGRESQL = """
SELECT 'runbook-session ' || current_setting('transaction_read_only') || ' ' || CASE
    WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN 'superuser'
    WHEN EXISTS (
        SELECT FROM pg_roles WHERE rolname IN ('pg_execute_server_program', 'pg_write_server_files')
        AND pg_has_role(current_user, oid, 'MEMBER')
    ) THEN 'files' ELSE 'plain' END || ' ' || current_user
"""
#: MariaDB before 11.1 calls the variable tx_read_only.
MYSQL = """
SELECT 'runbook-session', CURRENT_USER();
SHOW SESSION VARIABLES WHERE Variable_name IN ('transaction_read_only', 'tx_read_only');
SHOW GRANTS
"""
#: How a client prints one query's result and nothing around it.
ASK = {
    "postgresql": ("--quiet", "--tuples-only", "--no-align", "--command", POSTGRESQL),
    "mysql": ("--batch", "--skip-column-names", "--execute", MYSQL),
}
#: Options of the client that say where to go and as whom: what the user typed counts for both.
PLACE = {
    "postgresql": ("-U --username", "-h --host", "-p --port", "-d --dbname"),
    "mysql": ("-u --user", "-h --host", "-P --port", "-S --socket", "-D --database"),
}
#: What a role can do that no read-only transaction prevents (PostgreSQL's manual, SET TRANSACTION).
POWERS = {
    "superuser": (
        "{} is a superuser, whom a read-only session keeps from neither COPY TO PROGRAM nor ALTER "
        "SYSTEM nor VACUUM: a role with pg_read_all_data is enough to look."
    ),
    "files": (
        "{} may write files and start programs on the server, which a read-only session does not "
        "prevent: a role with pg_read_all_data is enough to look."
    ),
    "server": (
        "{} may change the server's settings and write files on it, which a read-only session does "
        "not prevent: a user with SELECT alone is enough to look."
    ),
}
WAY = {
    "postgresql": (
        "connect as a role that is read-only by itself (ALTER ROLE name SET "
        "default_transaction_read_only = on), or to the server's own address"
    ),
    "mysql": "connect to the server's own address",
}
#: PgBouncer's words for what it neither knows nor was told to ignore.
REFUSAL = re.compile(r"unsupported startup parameter[^\n]*")
STRONG = re.compile(r"(?i)\b(ALL PRIVILEGES|SUPER|FILE|SYSTEM_VARIABLES_ADMIN)\b.* ON \*\.\*")


@dataclass(frozen=True)
class _Session:
    """What the server said of one: whether it only reads, who it is, and what they may do."""

    read_only: bool
    role: str
    power: str


def read_only_client(
    alias: str, parameters: Sequence[str] = (), *, sql: str | None = None
) -> tuple[Client, str]:
    """Return a client whose session only reads, and a warning of what its role can do all the same.

    A session of the same client, to the same place, was asked before. The warning is mostly empty.
    SQLite's shell opens the file without the right to write, and is not asked. Raises
    ``NotReadOnlyError`` where the session could write, or did not answer.
    """
    vendor = connections[alias].vendor
    if vendor not in ASK:
        return database_client(alias, parameters, read_only=True, sql=sql), ""
    probe = [*_place(vendor, parameters), *ASK[vendor]]
    reason = "the session can write: a pooler before the server drops what a client asks for"
    done = _run(database_client(alias, probe, read_only=True))
    asks = True
    if refused := REFUSAL.search(done.stderr):
        reason = f"a pooler before the server refuses what a client asks for ({refused[0].strip()})"
        done = _run(database_client(alias, probe))
        asks = False
    session = _session(vendor, done.stdout)
    if session is None:
        raise NotReadOnlyError(_told(done), asked=False)
    if not session.read_only:
        raise NotReadOnlyError(f"Refused: {reason}. To look only, {WAY[vendor]}.", asked=True)
    client = database_client(alias, parameters, read_only=asks, sql=sql)
    return client, POWERS.get(session.power, "").format(session.role)


def _session(vendor: str, told: str) -> _Session | None:
    """Read the answer, around which a client's own start-up file may have printed more."""
    if vendor == "postgresql":
        found = re.search(rf"{MARK} (\w+) (\w+) (.*)", told)
        return _Session(found[1] == "on", found[3], found[2]) if found else None
    found = re.search(rf"{MARK}\t(.*)", told)
    state = re.search(r"(?m)^(?:transaction|tx)_read_only\t(\w+)", told)
    if not found or not state:
        return None
    return _Session(state[1] in {"ON", "1"}, found[1], "server" if STRONG.search(told) else "")


def _place(vendor: str, parameters: Sequence[str]) -> list[str]:
    """Return those of the user's words that say where the client goes."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for names in PLACE[vendor]:
        parser.add_argument(*names.split())
    try:
        chosen, _rest = parser.parse_known_args(parameters)
    except SystemExit:  # the client says it itself
        return []
    return [f"--{name}={value}" for name, value in vars(chosen).items() if value is not None]


def _run(client: Client) -> subprocess.CompletedProcess[str]:
    """Run a client to its end; it may ask for a password at the terminal."""
    try:
        return subprocess.run(
            client.argv,
            env=client.environment,
            pass_fds=client.descriptors,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    finally:
        client.close()


def _told(done: "subprocess.CompletedProcess[str]") -> str:
    """Return in one line why there was no answer: the client's first error."""
    name = Path(done.args[0]).name
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"(?i)error|fatal", line)] or lines
    reason = (
        errors[0].removeprefix(f"{name}: error: ") if errors else f"exit code {done.returncode}"
    )
    return f"{name} failed: {reason.rstrip('.')}."
