"""PostgreSQL: pg_dump writes a custom archive; pg_restore and psql bring it back."""

import itertools
import os
import re
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from django.db import connections

from django_runbook.extras import install
from django_runbook.schema.database.clients import libpq
from django_runbook.schema.database.clients.client import Client
from django_runbook.schema.database.clients.shell import INSTALL
from django_runbook.schema.database.dumps.clear import CLEAR, FORGET
from django_runbook.schema.database.dumps.clients import candidates, client, failure, run, start
from django_runbook.schema.database.dumps.origins import Origin
from django_runbook.schema.errors import BackupFailedError, BackupRefusedError, NoClientError

OTHER = "another server than the application: name one server alone in DATABASE_URL."
NO_SNAPSHOT = re.compile(
    r"snapshot \S+ does not exist|invalid snapshot identifier|snapshot from a different database"
)
#: What no two servers have in common, and no two databases of one.
HERE = (
    "(SELECT oid || ' ' || extract(epoch FROM pg_postmaster_start_time()) FROM pg_database "
    "WHERE datname = current_database())"
)
SAME = """
DO $same$ BEGIN
    IF {expression} <> '{value}' THEN RAISE EXCEPTION '%', '"""
SAME += (
    OTHER
    + """'; END IF;
END $same$;
"""
)
SUBSCRIPTIONS = (
    "SELECT string_agg(subname, ', ') FROM pg_subscription WHERE subdbid = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)
#: Waiting behind an open transaction would hold up every other session as well.
LOCK_TIMEOUT = "30s"
#: pg_restore from 17 up sets this, and older servers do not know it.
NEW_SETTING, KNOWN_FROM = b"SET transaction_timeout = 0;\n", 17
HEADER_LINES = 40
#: psql's exit code for a server that went away, perhaps while it was committing.
CONNECTION_LOST, LOOK = 2, "Look at the database before you try again: it may be restored."


def dump(alias: str, file: Path) -> Origin:
    """Write the whole database, with a pg_dump that is not older than the server.

    pg_dump sees what the application's own connection sees, its snapshot, which no other server
    and no other database has. Raises ``BackupRefusedError`` where pg_dump finds it nowhere.
    """
    connection = connections[alias]
    server = connection.get_database_version()[0]
    program = _pg_dump(server)
    role = connection.settings_dict["OPTIONS"].get("assume_role")
    options = ["--format=custom", "--no-password", *([f"--role={role}"] if role else [])]
    origin, at = _origin(connection), libpq.reached(connection)
    try:
        snapshot = _ask(
            connection,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "SELECT pg_export_snapshot()",
        )
        with file.open("wb") as archive:
            dumping = client(alias, program, f"--snapshot={snapshot}", *options, at=at)
            run(dumping, stdout=archive)
    except BackupFailedError as error:
        if NO_SNAPSHOT.search(str(error)):
            raise BackupRefusedError(f"pg_dump reached {OTHER}") from error
        raise
    finally:
        connection.close()
    return origin


def _origin(connection: Any) -> Origin:
    """Return what the server says of itself: pg_control_system may be forbidden."""
    at = libpq.reached(connection)
    address = _ask(connection, "SELECT host(inet_server_addr())")
    port = _ask(connection, "SELECT coalesce(inet_server_port()::text, current_setting('port'))")
    host = at.get("host", "")
    name = socket.gethostname() if not host or host.startswith(("/", "@")) else host
    behind = f" at {address}" if address not in {"", name, at.get("hostaddr")} else ""
    allowed = _ask(connection, "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')")
    told = "SELECT system_identifier FROM pg_control_system()"
    return Origin(
        server=f"{name}:{at.get('port') or port}{behind}",
        system=_ask(connection, told) if allowed == "True" else "",
    )


def _ask(connection: Any, *statements: str) -> str:
    """Return the one value of the last statement; nothing for NULL."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        value = cursor.fetchone()[0]
    return "" if value is None else str(value)


def load(alias: str, file: Path, *, privileges: bool) -> str:
    """Empty the database and restore ``file`` into it, in one transaction.

    ``pg_restore --clean`` drops what is in the archive and leaves what is in the database alone; a
    new database in the place of the old one would need CREATEDB, no sessions, and lose the old
    one's settings and grants. So one psql session drops all and plays pg_restore's SQL. It is told
    to commit after pg_restore has ended well: were either to die before, the session ends without.
    """
    connection = connections[alias]
    server = connection.get_database_version()[0]
    role = connection.settings_dict["OPTIONS"].get("assume_role")
    begin = [f"SET ROLE {connection.ops.quote_name(role)};"] if role else []
    begin += [f"SET lock_timeout = '{LOCK_TIMEOUT}';", "SET statement_timeout = 0;"]
    begin += ["SET client_min_messages = warning;", "BEGIN;"]
    if names := _ask(connection, SUBSCRIPTIONS):
        raise BackupRefusedError(
            f"The database subscribes to {names}, which no transaction can drop: run ALTER "
            "SUBSCRIPTION ... DISABLE, SET (slot_name = NONE), DROP SUBSCRIPTION, and make it anew "
            "after the restore."
        )
    begin += [SAME.format(expression=HERE, value=_ask(connection, f"SELECT {HERE}")), CLEAR]
    begin += [FORGET] if privileges else []
    at = libpq.reached(connection)
    connection.close()
    pg_restore, contents = _reader(file)
    beside = Path(pg_restore).with_name("psql")  # its SQL may need a psql of the same release
    psql = str(beside) if beside.exists() else next(iter(candidates("psql")), "psql")
    options = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1")
    session = client(alias, psql, *options, at=at)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as chosen:
        chosen.write(contents)
        chosen.flush()
        argv = [pg_restore, "--file=-", "--no-owner", f"--use-list={chosen.name}", str(file)]
        argv[1:1] = ["--no-subscriptions"]  # one restored would take the place of the source's own
        argv[1:1] = [] if privileges else ["--no-privileges"]
        _play(Client(argv, session.environment), session, "\n".join(begin).encode(), server)
    return session.warning()


def _play(restore: Client, session: Client, begin: bytes, server: int) -> None:
    """Send what pg_restore prints to psql between ``begin`` and a commit."""
    with tempfile.TemporaryFile() as restore_errors, tempfile.TemporaryFile() as session_errors:
        with (
            start(restore, restore_errors, stdout=subprocess.PIPE) as source,
            start(session, session_errors, stdin=subprocess.PIPE) as sink,
        ):
            if source.stdout is None or sink.stdin is None:
                raise TypeError("both are pipes")
            psql_first = False
            try:
                _send(source.stdout, sink.stdin, begin, server)
                if source.wait() == 0:
                    sink.stdin.write(b"\nCOMMIT;\n")
            except BrokenPipeError:
                psql_first = True
                source.kill()
            except BaseException:
                source.kill()
                sink.kill()
                raise
            finally:
                with suppress(BrokenPipeError):
                    sink.stdin.close()
        ended = [(source, restore, restore_errors), (sink, session, session_errors)]
        for process, client_, errors in reversed(ended) if psql_first else ended:
            if process.returncode:
                errors.seek(0)
                reason = failure(client_.argv, errors.read(), process.returncode)
                if OTHER in reason:
                    raise BackupRefusedError(f"psql reached {OTHER}")
                lost = process is sink and process.returncode == CONNECTION_LOST
                raise BackupFailedError(f"{reason} {LOOK if lost else _next_step(reason)}")


def _next_step(reason: str) -> str:
    """Say that a restore was undone, and what mends it where the reason tells."""
    other = ": restore as a superuser, or add --no-privileges to leave grants as they are"
    steps = {
        "lock timeout": ": stop what uses the database and restore again",
        "change default privileges": other,
        "must be member of role": other,  # PostgreSQL before 16
        'role "': ": make the role, or add --no-privileges to leave grants out",
    }
    step = next((step for words, step in steps.items() if words in reason), "")
    return f"Nothing was changed{step}."


def _send(source: IO[bytes], sink: IO[bytes], begin: bytes, server: int) -> None:
    sink.write(begin)
    for line in itertools.islice(source, HEADER_LINES):
        if line != NEW_SETTING or server >= KNOWN_FROM:
            sink.write(line)
    shutil.copyfileobj(source, sink, 1 << 20)


def _pg_dump(server: int) -> str:
    """Return a pg_dump that can read the server: it refuses a newer one (its manual, Notes)."""
    found = candidates("pg_dump")
    if not found:
        raise NoClientError(f"pg_dump is not installed: {INSTALL['psql']}.")
    versions = {program: _release(program) for program in found}
    for program, version in versions.items():
        if version >= server:
            return program
    raise BackupFailedError(
        f"pg_dump {max(versions.values())} is older than the server, {server}: "
        f"sudo apt install postgresql-client-{server}, or {install('review')}."
    )


def _release(program: str) -> int:
    """Return a program's major version; 0 for one that does not work."""
    with suppress(BackupFailedError):
        told = run(Client([program, "--version"], dict(os.environ)))
        number = re.search(r"\) (\d+)", told)
        return int(number[1]) if number else 0
    return 0


def _reader(file: Path) -> tuple[str, str]:
    """Return a pg_restore that can read the archive, and what of its contents to restore.

    The archive of a newer pg_dump can be too new. An extension's comment comes with the extension,
    and only a superuser may write it again.
    """
    found = candidates("pg_restore")
    if not found:
        raise NoClientError(f"pg_restore is not installed: {INSTALL['psql']}.")
    for program in found:
        try:
            listed = run(Client([program, "--list", str(file)], dict(os.environ)))
        except BackupFailedError:
            if program == found[-1]:
                raise
            continue
        lines = listed.splitlines(keepends=True)
        return program, "".join(line for line in lines if " COMMENT - EXTENSION " not in line)
    raise AssertionError
