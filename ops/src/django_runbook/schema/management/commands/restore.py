"""`manage.py restore`: everything in the database replaced by a backup, or nothing changed."""

import json
import sys
from argparse import BooleanOptionalAction
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from django_runbook.schema.database.backups import described, restore
from django_runbook.schema.database.target import target
from django_runbook.schema.guard.commands import add_confirm, confirmed
from django_runbook.schema.guard.confirmation import in_test_run
from django_runbook.schema.management.arguments import add_database
from django_runbook.schema.management.one_line import in_one_line, short
from django_runbook.text.cleaning import clean, one_line


class Command(BaseCommand):
    """Parses, asks on a protected target, calls the service, prints."""

    help = "Replace everything in the database by a backup, or change nothing"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file and the options."""
        parser.add_argument("file", type=Path, metavar="FILE", help="What backup wrote.")
        add_database(parser, "The alias to replace.")
        parser.add_argument(
            "--allow-state-change",
            action="store_true",
            help="Go on although other migrations are applied afterwards, or the code lacks some.",
        )
        parser.add_argument(
            "--no-privileges",
            action="store_true",
            help="Leave PostgreSQL's grants out, for a server without the roles.",
        )
        parser.add_argument(
            "--backup",
            action=BooleanOptionalAction,
            help="Save what is replaced first (default: where the target is protected).",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")
        add_confirm(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say what the file holds, ask, restore; exit code 3 where that is refused."""
        with in_one_line():
            sys.stderr.write(f"{clean(described(options['file']))}\n")
        at = confirmed(options, "Restore into")
        wanted, by_itself = options["backup"], at.protected and not in_test_run()
        saves = by_itself if wanted is None else wanted
        with in_one_line():
            result = restore(
                options["file"],
                alias=options["database"],
                allow_state_change=options["allow_state_change"],
                privileges=not options["no_privileges"],
                saved_at=timezone.now() if saves else None,
            )
        if result.warning:
            self.stderr.write(result.warning)
        name = target(options["database"]).database
        if options["json"]:
            facts = {
                "file": str(result.file),
                "database": name,
                "created": result.manifest.created.isoformat(),
                "state_changed": result.state_changed,
                "unapplied": result.unapplied,
                "replaced": str(result.replaced) if result.replaced else None,
            }
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(
            f"Restored {one_line(Path(name).name)} from {short(result.file)}, "
            f"made {result.manifest.created.isoformat()}"
        )
        if result.unapplied:
            more = f" and {len(result.unapplied) - 1} more are" if result.unapplied[1:] else " is"
            self.stdout.write(
                f"{one_line(result.unapplied[0])}{more} not applied. Run 'inv db.migrate'."
            )
        if result.replaced:
            self.stdout.write(f"What was there before: {short(result.replaced)}")
