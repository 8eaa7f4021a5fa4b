"""`manage.py schema_drift`: how the live database differs from what its migrations build."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_runbook.schema.errors import MigrationsError, NoServerError
from django_runbook.schema.fingerprints.drift import drift
from django_runbook.schema.fingerprints.drift_report import drift_lines, verdict
from django_runbook.schema.management.arguments import add_database
from django_runbook.schema.management.one_line import in_one_line


class Command(BaseCommand):
    """Reads the live database; the migrations run on a scratch database."""

    help = "Compare the database with what its applied migrations build"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--database``, ``--ignore``, ``--strict`` and ``--json``."""
        add_database(parser, "The alias to look at.")
        parser.add_argument(
            "--ignore",
            action="append",
            default=[],
            metavar="PATTERN",
            help="A table, or something outside of tables, to leave out, as in 'legacy_*'; "
            "may be repeated.",
        )
        parser.add_argument(
            "--strict", action="store_true", help="Let names and the order of columns fail as well."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the differences with their next steps; exit code 1 where there is drift."""
        try:
            # What the code of a migration prints is not this command's.
            with in_one_line(), redirect_stdout(sys.stderr):
                found = drift(options["database"], options["ignore"])
        except (MigrationsError, NoServerError) as error:
            raise CommandError(str(error)) from error
        strict = options["strict"]
        fails = found.fails(strict=strict)
        if options["json"]:
            self.stdout.write(json.dumps({**asdict(found), "drift": fails}))
        else:
            for line in drift_lines(found, strict=strict):
                self.stdout.write(line)
        if fails:
            raise CommandError(verdict(found, strict=strict))
        if not options["json"]:
            self.stdout.write(verdict(found, strict=strict))
