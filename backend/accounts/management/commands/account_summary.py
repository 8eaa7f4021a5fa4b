"""`manage.py account_summary`: how many accounts stand in each status."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.selectors import count_by_status


class Command(BaseCommand):
    """Prints the counts."""

    help = "Count the accounts in each status"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json``."""
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one line for each status, or JSON."""
        counts = count_by_status()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        for status, count in counts.items():
            self.stdout.write(f"{status:<13} {count:>9,}")
