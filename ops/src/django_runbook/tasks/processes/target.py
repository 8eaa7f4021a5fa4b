"""Which database and environment a task would touch."""

import json
import sys
from dataclasses import dataclass
from pathlib import PurePath

from invoke import Context, Exit

from django_runbook.tasks.processes import process


@dataclass(frozen=True, kw_only=True)
class Target:
    """What Django itself says of the database; never the password.

    ``why`` says why it is protected; empty where it is not.
    """

    environment: str
    engine: str
    host: str
    port: str
    database: str
    user: str
    alias: str = "default"
    why: str = ""
    replica: bool = False
    answered: bool = True
    unapplied: tuple[str, ...] = ()

    @property
    def protected(self) -> bool:
        """Whether what destroys it wants its name."""
        return bool(self.why)

    @property
    def embedded(self) -> bool:
        """Whether the database is an SQLite file of this machine."""
        return self.engine == "sqlite"

    @property
    def name(self) -> str:
        """What is typed to confirm: the database's name, of an SQLite file its last part."""
        return PurePath(self.database).name if self.embedded else self.database

    def __str__(self) -> str:
        """Return the target as one line, such as ``production postgresql me@db:5432/app``."""
        place = f"{self.host}:{self.port}".strip(":")
        owner = f"{self.user}@" if self.user else ""
        where = self.database if self.embedded else f"{owner}{place}/{self.database}"
        return f"{self.environment} {self.engine} {where}".strip()


def ask(c: Context, alias: str | None = None) -> Target:
    """Ask Django, in one process that only reads. Raises ``Exit`` with its message on failure."""
    options = process.options(database=alias)
    try:
        facts = json.loads(process.probe(c, process.manage(c, "target", "--json", *options)))
    except Exit as error:
        if "Unknown command: 'target'" in (error.message or ""):
            raise Exit(
                'Add "django_runbook.schema" to INSTALLED_APPS: it tells the target.', code=1
            ) from None
        raise
    return Target(**{**facts, "unapplied": tuple(facts.get("unapplied", ()))})


def require_guard(c: Context) -> None:
    """Raise ``Exit`` where the kit's commands are not installed: Django's own ask nothing."""
    if not process.is_dry(c):
        ask(c)


def show(at: Target, action: str) -> None:
    """Say on standard error what is about to happen, and where."""
    print(f"{action}: {at}", file=sys.stderr)
