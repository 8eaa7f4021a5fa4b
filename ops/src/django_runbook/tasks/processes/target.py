"""Which database and environment a task would touch."""

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from invoke import Context, Exit

from django_runbook.tasks.processes import process

LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
REFUSED = 3


@dataclass(frozen=True, kw_only=True)
class Target:
    """What Django itself says of the database; never the password."""

    environment: str
    engine: str
    host: str
    port: str
    database: str
    user: str
    unapplied: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    backwards: tuple[str, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether the database is an SQLite file of this machine."""
        return self.engine == "sqlite"

    @property
    def local(self) -> bool:
        """Whether the server runs on this machine: a file, a socket, or a loopback address."""
        return self.embedded or self.host.startswith("/") or self.host in LOOPBACK

    @property
    def name(self) -> str:
        """What is typed to confirm: the database's name, of an SQLite file its last part."""
        return PurePath(self.database).name if self.embedded else self.database

    def protected(self, environments: Collection[str]) -> bool:
        """Whether a destructive task must be confirmed: by its environment, or by its host."""
        return self.environment in environments or not self.local

    def __str__(self) -> str:
        """Return the target as one line, such as ``production postgresql me@db:5432/app``."""
        place = f"{self.host}:{self.port}".strip(":")
        owner = f"{self.user}@" if self.user else ""
        where = self.database if self.embedded else f"{owner}{place}/{self.database}"
        return f"{self.environment} {self.engine} {where}".strip()


def ask(c: Context, *, migrate: Sequence[str] | None = None) -> Target:
    """Ask Django, in one process that only reads. Raises ``Exit`` with its message on failure.

    With arguments of ``migrate``, ``forwards`` holds what that would apply, and ``backwards`` what
    it would undo.
    """
    way = ["--migrate", *migrate] if migrate is not None else []
    try:
        facts = json.loads(process.probe(c, process.manage(c, "target", "--json", *way)))
    except Exit as error:
        if "Unknown command: 'target'" in (error.message or ""):
            raise Exit(
                'Add "django_runbook.schema" to INSTALLED_APPS: it tells the target.', code=1
            ) from None
        raise
    lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    return Target(**{**facts, **lists})


def is_protected(c: Context, at: Target) -> bool:
    """Tell whether destructive tasks on this target must be confirmed."""
    return at.protected(process.config(c).protected)


def show(at: Target, action: str) -> None:
    """Say on standard error what is about to happen, and where."""
    print(f"{action}: {at}", file=sys.stderr)


def guard(c: Context, at: Target, action: str, *, confirm: str | None) -> None:
    """Show the target, and let nobody destroy a protected one by mistake.

    On a protected target the database's name must be typed, or be given as ``confirm``. Raises
    ``Exit`` with code 3 where it is another, and without a terminal; nothing was touched then.
    """
    show(at, action)
    if process.is_dry(c) or not is_protected(c, at):
        return
    if confirm is None and sys.stdin.isatty():
        try:
            confirm = input(f"This is a protected target. Type {at.name} to go on: ").strip()
        except EOFError:
            confirm = ""
    if confirm is None:
        raise Exit(
            f"Refused: the target is protected and there is no terminal. Add --confirm {at.name}.",
            code=REFUSED,
        )
    if confirm != at.name:
        raise Exit(f"Refused: '{confirm}' is not {at.name}; nothing was changed.", code=REFUSED)


def guard_migrate(c: Context, arguments: Sequence[str], *, confirm: str | None) -> None:
    """Guard a ``migrate`` with these arguments where it would do anything, forwards or back."""
    at = ask(c, migrate=arguments)
    fake = "--fake" in arguments
    for names, word in ((at.backwards, "Undo"), (at.forwards, "Apply")):
        if names:
            more = f" and {len(names) - 1} more" if names[1:] else ""
            done = f"Record as {'undone' if word == 'Undo' else 'applied'}, without running,"
            guard(c, at, f"{done if fake else word} {names[0]}{more}", confirm=confirm)
            return
