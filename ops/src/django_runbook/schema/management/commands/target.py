"""`manage.py target`: which database and environment a command touches. Reads only."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from django_runbook.schema.database.target import target, unapplied
from django_runbook.schema.management.arguments import add_database
from django_runbook.text.cleaning import unbroken


class Command(BaseCommand):
    """Prints the target and the migrations that it lacks."""

    help = "Show the database and environment that commands touch, and unapplied migrations"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--database`` and ``--json``."""
        add_database(parser, "The alias to ask about.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one line for each fact, or JSON."""
        facts: dict[str, Any] = {
            **asdict(target(options["database"])),
            "unapplied": unapplied(options["database"]),
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            shown = ", ".join(value) if isinstance(value, list) else value
            self.stdout.write(unbroken(f"{name:<12} {shown or '-'}"))
