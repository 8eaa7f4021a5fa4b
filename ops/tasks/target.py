"""Which database and environment a task would touch."""

import json
from dataclasses import dataclass

from invoke import Context

from ops.tasks import process


@dataclass(frozen=True, kw_only=True)
class Target:
    """What Django itself says of the database; never the password."""

    environment: str
    engine: str
    host: str
    port: str
    database: str
    user: str
    unapplied: tuple[str, ...]

    @property
    def embedded(self) -> bool:
        """Whether the database is an SQLite file of this machine."""
        return self.engine == "sqlite"

    def __str__(self) -> str:
        """Return the target as one line, such as ``production postgresql me@db:5432/app``."""
        place = f"{self.host}:{self.port}".strip(":")
        owner = f"{self.user}@" if self.user else ""
        where = self.database if self.embedded else f"{owner}{place}/{self.database}"
        return f"{self.environment} {self.engine} {where}".strip()


def ask(c: Context) -> Target:
    """Ask Django, in one process that only reads. Raises ``Exit`` with its message on failure."""
    facts = json.loads(process.probe(c, process.manage(c, "target", "--json")))
    return Target(**{**facts, "unapplied": tuple(facts["unapplied"])})
