"""Options that several commands have."""

from django.core.management.base import CommandParser
from django.db import DEFAULT_DB_ALIAS, connections


def add_database(parser: CommandParser, meaning: str) -> None:
    """Add ``--database``: an alias of the settings, and no other word."""
    parser.add_argument(
        "--database", default=DEFAULT_DB_ALIAS, choices=tuple(connections), help=meaning
    )
