"""`manage.py backup`: the database into a file, with the database's own tools."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from django_runbook.schema.database.backups import backup
from django_runbook.schema.management.arguments import add_database
from django_runbook.schema.management.one_line import in_one_line, short


class Command(BaseCommand):
    """Parses, reads the clock once, calls the service, prints."""

    help = "Save the database to a new file, with its migrations and checksum beside it"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--output``, ``--database`` and ``--json``."""
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="The file to write (default: a new one in var/backups of the repository, "
            "or in backups where it has no var).",
        )
        add_database(parser, "The alias to save.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Save the database; exit code 3 for a file that exists."""
        with in_one_line():
            result = backup(options["output"], now=timezone.now(), alias=options["database"])
        manifest = result.manifest
        if result.warning:
            self.stderr.write(result.warning)
        if options["json"]:
            facts = {"file": str(result.file), **json.loads(manifest.to_json())}
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(
            f"Saved {manifest.database} from {manifest.server} to {short(result.file)} "
            f"({manifest.size:,} bytes, {len(manifest.migrations)} migrations)"
        )
