"""`manage.py check_migrations`: everything that is wrong with the migrations, in one process."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_runbook.schema.history.problems import findings
from django_runbook.schema.management.arguments import add_database
from django_runbook.text.cleaning import clean


class Command(BaseCommand):
    """Runs Django's system checks first, as every command does."""

    help = "Report unapplied migrations, models without a migration, and conflicting leaves"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--database`` and ``--no-database``."""
        add_database(parser, "The alias to ask.")
        parser.add_argument("--no-database", action="store_true", help="Look at the files alone.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print each finding with its fix; exit code 1 where there is one."""
        found = findings(None if options["no_database"] else options["database"])
        for finding in found:
            self.stdout.write(clean(str(finding)))
        if found:
            raise CommandError(f"{len(found)} finding(s) in the migrations")
        self.stdout.write("Migrations: nothing wrong")
