"""`manage.py reset_db`: django-extensions', with the guard before it, and migrations after it."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connections

from django_runbook.schema.database.recreate import cannot_recreate
from django_runbook.schema.database.target import Target
from django_runbook.schema.guard.commands import REFUSED, Guarded, alias_of, guarded


class ResetDb(Guarded):
    """Drops nothing that it could not make again."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--migrate``."""
        super().add_arguments(parser)
        parser.add_argument(
            "--migrate", action="store_true", help="Apply every migration afterwards."
        )

    def before(self, options: dict[str, Any]) -> None:
        """Raise ``CommandError`` with exit code 3 where the database could not be made again."""
        alias = alias_of(options)
        if reason := cannot_recreate(alias):
            raise CommandError(f"Refused: {reason} Nothing was dropped.", returncode=REFUSED)
        connections[alias].close()

    def after(self, options: dict[str, Any], at: Target) -> None:
        """Apply the migrations where that was asked for."""
        if options["migrate"]:
            call_command("migrate", database=at.alias, confirm=at.name)


Command = guarded("django_extensions.management.commands.reset_db", "Drop and make anew", ResetDb)
