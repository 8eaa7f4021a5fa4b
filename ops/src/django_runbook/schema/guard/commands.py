"""A command that destroys, with the guard before it."""

from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from django_runbook import extras
from django_runbook.schema.database.target import Target
from django_runbook.schema.errors import GuardError
from django_runbook.schema.guard.confirmation import guard

REFUSED = 3


class Guarded(BaseCommand):
    """Asks for the name of a protected database, by the alias that the command is given.

    ``action`` is what is about to happen, as in "Delete every row of". Whoever starts the command
    meets the guard: a task, manage.py, a job, a pipe, ``call_command``.
    """

    action = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--confirm``, and let ``--database`` be an alias that there is."""
        super().add_arguments(parser)
        add_confirm(parser)
        for option in parser._actions:
            if option.dest == "database":
                option.choices = tuple(connections)

    def handle(self, *args: Any, **options: Any) -> Any:
        """Ask, then do what the command does; exit code 3 where that is refused."""
        at = confirmed(options, self.action)
        self.before(options)
        if at.protected:
            options["interactive"] = False  # the name says more than Django's own yes
        done = super().handle(*args, **options)
        self.after(options, at)
        return done

    def before(self, options: dict[str, Any]) -> None:
        """Do what must come before, once it is confirmed."""

    def after(self, options: dict[str, Any], at: Target) -> None:
        """Do what must come after."""


def add_confirm(parser: CommandParser) -> None:
    """Add ``--confirm`` to a command's options."""
    parser.add_argument(
        "--confirm", metavar="NAME", help="The database's name, where the target is protected."
    )


def confirmed(options: dict[str, Any], action: str) -> Target:
    """Return the target of a command's options once it is confirmed.

    Raises ``CommandError`` with exit code 3 where it is not; nothing was touched then.
    """
    try:
        at = guard(alias_of(options), action, confirm=options.get("confirm"))
    except GuardError as refusal:
        raise CommandError(str(refusal), returncode=REFUSED) from refusal
    other = options.get("dbname")
    if at.protected and other and other != at.database:
        raise CommandError(
            f"Refused: --dbname {other} is not {at.database}, whose name was asked for; "
            "nothing was changed. Declare an alias for it.",
            returncode=REFUSED,
        )
    return at


def alias_of(options: dict[str, Any]) -> str:
    """Return the alias that a command works on; django-extensions has an older word for it."""
    router = options.get("router") or DEFAULT_DB_ALIAS
    return router if router != DEFAULT_DB_ALIAS else options.get("database") or DEFAULT_DB_ALIAS


def guarded(module: str, action: str, base: type[Guarded] = Guarded) -> type[BaseCommand]:
    """Return the command of a module, by its dotted name, with the guard before it.

    Where its package is not installed, it is a command that says which extra brings it.
    """
    package, name = module.partition(".")[0], module.rpartition(".")[2]
    if package in extras.MODULES and (lacking := extras.missing(package, f"manage.py {name}")):
        return type("Command", (_Missing,), {"lacking": lacking})
    theirs = import_module(module).Command
    return type("Command", (base, theirs), {"action": action, "__doc__": theirs.__doc__})


class _Missing(BaseCommand):
    """A command whose package is not installed."""

    lacking = ""
    requires_system_checks = ()

    def run_from_argv(self, _argv: list[str]) -> None:
        """Say what is missing, whatever was typed; exit code 1."""
        self.stderr.write(self.lacking)
        raise SystemExit(1)

    def execute(self, *_args: Any, **_options: Any) -> Any:
        """Raise ``CommandError``: another command has called this one."""
        raise CommandError(self.lacking)
