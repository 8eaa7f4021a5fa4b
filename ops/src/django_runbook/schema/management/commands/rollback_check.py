"""`manage.py rollback_check [APP]`: new migrations forward, back and forward again."""

import sys
from contextlib import redirect_stdout
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.near_names import require_apps
from django_runbook.schema.management.arguments import add_database
from django_runbook.schema.management.one_line import in_one_line
from django_runbook.schema.review.report.rollback import tried_lines, verdict
from django_runbook.schema.review.rollback import ENGINES, Tried, rollback_check, selected
from django_runbook.text.cleaning import unbroken


class Command(BaseCommand):
    """Tries them on scratch databases; the real one is asked only what it has applied."""

    help = "Try migrations forward, back and forward again on scratch databases"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the app, ``--since``, ``--database`` and ``--engine``."""
        parser.add_argument(
            "app_label",
            nargs="?",
            default="",
            metavar="APP",
            help="Try all of this app's (default: those that are not applied).",
        )
        parser.add_argument(
            "--since", default="", metavar="REF", help="Try those that are new in git since REF."
        )
        add_database(parser, "The alias that they are for.")
        parser.add_argument(
            "--engine",
            action="append",
            choices=ENGINES,
            help="Where to try them; may be repeated (default: on both).",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each; exit code 1 where one cannot be rolled back."""
        if options["app_label"]:
            require_apps([options["app_label"]])
        alias = options["database"]
        try:
            chosen = selected(alias, options["app_label"], options["since"])
        except MigrationsError as error:
            raise CommandError(str(error)) from error
        # What the code of a migration prints is not this command's.
        with in_one_line(), redirect_stdout(sys.stderr):
            found = rollback_check(chosen, alias, options["engine"] or ENGINES, self._tell)
        for note in found.notes:
            self.stdout.write(unbroken(f"Note: {note}"))
        if chosen.keys and not found.tried:
            raise CommandError("No migration was tried.")
        if found.failing:
            raise CommandError(verdict(found))
        self.stdout.write(verdict(found))

    def _tell(self, tried: Tried) -> None:
        for line in tried_lines(tried):
            self.stdout.write(line)
