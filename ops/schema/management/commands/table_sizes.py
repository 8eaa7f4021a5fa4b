"""`manage.py table_sizes`: how large each table is, for reading a plan by. Reads only."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

from ops.schema.plans.sizes import SizesError, table_sizes


class Command(BaseCommand):
    """Parses, reads the clock once, calls the service, prints."""

    help = "Print the size of each table as JSON, for plan_migrations --sizes; names and numbers"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--database``."""
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=tuple(connections),
            help="The alias to ask.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one JSON object."""
        try:
            sizes = table_sizes(options["database"], now=timezone.now())
        except SizesError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(sizes.to_json())
