"""`manage.py applied_migrations`: what this database has recorded, as a list to take elsewhere."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.management.arguments import add_database
from django_runbook.schema.squash.finish.environments import export
from django_runbook.text.cleaning import unbroken


class Command(BaseCommand):
    """Reads only; ``squash --finish --applied NAME=FILE`` takes the JSON."""

    help = "List the migrations that the database has recorded, for 'squash --finish --applied'"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--database`` and ``--json``."""
        add_database(parser, "The alias to ask.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each migration, or JSON with the tables and the time."""
        try:
            made = export(options["database"], now=timezone.now())
        except MigrationsError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(made.to_json(), ending="")
            return
        for name in made.migrations:
            self.stdout.write(unbroken(name))
        name = Path(made.database).name
        self.stdout.write(unbroken(f"{len(made.migrations)} migration(s) recorded in {name}"))
