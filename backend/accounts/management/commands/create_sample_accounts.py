"""`manage.py create_sample_accounts`: sample data for an empty database."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.errors import RefusedError
from accounts.samples import create_sample_accounts

MOST = 10_000_000


def count(text: str) -> int:
    """Read how many."""
    if not text.isdecimal() or len(text) > len(str(MOST)) or int(text) > MOST:
        raise ArgumentTypeError(f"'{text[:40]}' is not a whole number from 0 to {MOST}")
    return int(text)


class Command(BaseCommand):
    """Fills an empty database."""

    help = "Create sample accounts of a realistic spread in an empty database"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--count``."""
        parser.add_argument("--count", type=count, default=5_000, help="How many (default: 5000).")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Create them; exit code 3 where accounts exist."""
        try:
            created = create_sample_accounts(options["count"], now=timezone.now())
        except RefusedError as refusal:
            raise CommandError(str(refusal), returncode=3) from refusal
        self.stdout.write(f"Created {created} sample account(s)")
