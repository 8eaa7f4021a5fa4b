"""`manage.py diagnose`: the part of `inv doctor` that Django knows."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from django_runbook.schema.diagnosis import diagnose
from django_runbook.text.cleaning import unbroken


class Command(BaseCommand):
    """Prints what it finds; whether that is well, the reader of the lines decides."""

    help = "Look at settings, database, migrations and client program; inv doctor shows more"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json``."""
        parser.add_argument("--json", action="store_true", help="Print one JSON list.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one line for each thing looked at, or JSON."""
        lines = list(diagnose())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(line) for line in lines]))
            return
        for line in lines:
            self.stdout.write(unbroken(str(line)))
