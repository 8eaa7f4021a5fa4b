"""What a doctor asks of Django: settings, database, migrations, client program."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import run_checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from django_runbook.checkup import Line
from django_runbook.schema.database.clients.shell import find_program
from django_runbook.schema.database.protection import environment
from django_runbook.schema.database.target import target
from django_runbook.schema.errors import NoClientError
from django_runbook.schema.guard.reach import OWN, unguarded
from django_runbook.schema.history.problems import findings
from django_runbook.schema.wording import first

#: The tag of the checks of the jobs.
CHECKS = "runbook_jobs"
SERVER_VERSION = {
    "postgresql": "SHOW server_version",
    "sqlite": "SELECT sqlite_version()",
    "mysql": "SELECT version()",
}


def diagnose(alias: str = DEFAULT_DB_ALIAS) -> Iterator[Line]:
    """Yield what was found, without writing anything."""
    debug = "on" if settings.DEBUG else "off"
    at, found = target(alias), environment()
    yield Line("settings", ok=True, detail=f"{os.environ['DJANGO_SETTINGS_MODULE']}, DEBUG {debug}")
    place = f"{at.user}@{at.host}:{at.port}/".strip("@:/")
    where = f"{place}/{at.database}" if place else at.database
    reason = f"not protected: {found.said or 'DEBUG is on'}"
    if at.protected:
        reason = f"protected: {at.why}"
    detail = f"{at.environment} {at.engine} {where} ({reason})".strip()
    yield Line("target", ok=True, detail=detail)
    yield _client(alias)
    yield from _guard()
    yield from _checks()
    server = _server(alias)
    yield server
    if server.ok:
        yield from _migrations(alias)


def _server(alias: str) -> Line:
    connection = connections[alias]
    if connection.vendor == "sqlite" and not Path(connection.settings_dict["NAME"]).exists():
        return Line("database", ok=False, detail="the file does not exist", fix="inv db.migrate")
    query = SERVER_VERSION.get(connection.vendor, "SELECT 1")
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            version = cursor.fetchone()[0]
    except DatabaseError as error:
        reason = str(error).partition("\n")[0]
        return Line("database", ok=False, detail=reason, fix="inv db.wait, or mend DATABASE_URL")
    return Line("database", ok=True, detail=f"reachable, {connection.vendor} {version}")


def _migrations(alias: str) -> Iterator[Line]:
    found = findings(alias)
    if not found:
        yield Line("migrations", ok=True, detail="all applied, none missing")
    fixes: dict[str, list[str]] = {}
    for finding in found:
        fixes.setdefault(finding.fix, []).append(finding.what)
    for fix, whats in fixes.items():
        more = f" (and {len(whats) - 1} more)" if len(whats) > 1 else ""
        yield Line("migrations", ok=False, detail=f"{whats[0]}{more}", fix=fix)


def _guard() -> Iterator[Line]:
    """Say which commands are not the kit's, and so not guarded."""
    apps: dict[str, list[str]] = {}
    for command, app in unguarded():
        apps.setdefault(app, []).append(command)
    for app, commands in apps.items():
        yield Line(
            "guard",
            ok=False,
            detail=f"{first(commands)} of {app} are not guarded",
            fix=f'put "{OWN}" above it in INSTALLED_APPS',
        )


def _checks() -> Iterator[Line]:
    """Say what Django's checks have found that are about the jobs."""
    found = [each for each in run_checks(tags=[CHECKS]) if not each.is_silenced()]
    for each in found:
        yield Line("checks", ok=False, detail=f"{each.msg} ({each.id})", fix=each.hint or "")


def _client(alias: str) -> Line:
    program = str(connections[alias].client.executable_name)
    try:
        return Line("client", ok=True, detail=" ".join(find_program(program)))
    except NoClientError as missing:
        what, _, how = str(missing).partition(": ")
        return Line("client", ok=False, detail=what, fix=how.rstrip("."))
