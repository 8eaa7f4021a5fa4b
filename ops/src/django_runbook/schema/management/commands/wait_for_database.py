"""`manage.py wait_for_database`: returns when the server answers."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections

from django_runbook.schema.database.target import absent
from django_runbook.schema.management.arguments import add_database

PAUSE = 0.5


class Command(BaseCommand):
    """Tries to connect until it works or the time is over."""

    help = "Wait until the database answers"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--timeout`` and ``--database``."""
        parser.add_argument("--timeout", type=float, default=60, help="Seconds (default: 60).")
        add_database(parser, "The alias to wait for.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Return once connected; exit code 1 with the last error when the time is over."""
        connection = connections[options["database"]]
        if absent(options["database"]):
            self.stdout.write("There is nothing to wait for: 'inv db.migrate' makes the file")
            return
        start = time.monotonic()
        while True:
            try:
                connection.ensure_connection()
            except OperationalError as error:
                waited = time.monotonic() - start
                if waited + PAUSE > options["timeout"]:
                    reason = str(error).partition("\n")[0]
                    raise CommandError(f"No answer in {waited:.0f} s: {reason}") from error
                time.sleep(PAUSE)
            else:
                waited = time.monotonic() - start
                self.stdout.write(f"The database answers, after {waited:.1f} s")
                return
