"""`manage.py table_sizes`: how large each table is, for reading a plan by. Reads only."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from django_runbook.schema.database.sizes import SizesError, table_sizes
from django_runbook.schema.management.arguments import add_database


class Command(BaseCommand):
    """Parses, reads the clock once, calls the service, prints."""

    help = "Print the size of each table as JSON, for plan_migrations --sizes; names and numbers"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--database``."""
        add_database(parser, "The alias to ask.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one JSON object."""
        try:
            sizes = table_sizes(options["database"], now=timezone.now())
        except SizesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(sizes.to_json())
