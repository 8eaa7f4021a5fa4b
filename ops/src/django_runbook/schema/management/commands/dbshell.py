"""`manage.py dbshell`: Django's own, which becomes the client program instead of starting it."""

import os
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.dbshell import Command as DjangoCommand

from django_runbook.schema.database.shell import database_client
from django_runbook.schema.errors import NoClientError


class Command(DjangoCommand):
    """Takes Django's options, and two more.

    Django starts the client and waits; for SQLite, Ctrl-C then ends the wait and kills the client.
    A client that takes this process's place has signals, terminal and exit code to itself.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--read-only`` and ``--sql``."""
        super().add_arguments(parser)
        parser.add_argument(
            "--read-only", action="store_true", help="Refuse to write, unless the user insists."
        )
        parser.add_argument("--sql", help="Run this query and leave.")

    def handle(self, **options: Any) -> None:
        """Become the client; exit code 1 where it is not installed."""
        try:
            client = database_client(
                options["database"],
                options["parameters"],
                read_only=options["read_only"],
                sql=options["sql"],
            )
        except NoClientError as missing:
            raise CommandError(str(missing)) from missing
        sys.stdout.flush()
        os.execvpe(client.argv[0], client.argv, client.environment)
