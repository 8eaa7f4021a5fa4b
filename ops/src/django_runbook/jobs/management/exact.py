"""Commands that take no option by a part of its name, and that need aware times."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_runbook.jobs.database.zones import require_zones
from django_runbook.jobs.errors import RefusedError

REFUSED = 3


class ExactCommand(BaseCommand):
    """A command of the jobs.

    ``--dry`` is not ``--dry-run``: a job would not run, and nobody would know. Django's checks are
    many lines, so what the jobs cannot do without is said in one, before them.
    """

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser that takes options by their whole names alone."""
        return super().create_parser(prog_name, subcommand, **{"allow_abbrev": False, **kwargs})

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. Raises ``CommandError`` with exit code 3 where ``USE_TZ`` is off."""
        try:
            require_zones()
        except RefusedError as refusal:
            raise CommandError(str(refusal), returncode=REFUSED) from refusal
        return super().execute(*args, **options)
