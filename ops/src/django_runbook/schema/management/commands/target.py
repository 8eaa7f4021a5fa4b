"""`manage.py target`: which database and environment a command touches. Reads only."""

import json
from argparse import REMAINDER
from dataclasses import asdict
from typing import Any

from django.core.management import load_command_class
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.migrations.exceptions import AmbiguityError

from django_runbook.schema.database.target import steps, target, unapplied
from django_runbook.schema.management.arguments import add_database


class Command(BaseCommand):
    """Prints the target and the migrations that it lacks."""

    help = "Show the database and environment that commands touch, and unapplied migrations"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--database`` and ``--json``."""
        add_database(parser, "The alias to ask about.")
        parser.add_argument(
            "--migrate", nargs=REMAINDER, help="Say what a migrate with these words would do."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print one line for each fact, or JSON."""
        facts: dict[str, Any] = {
            **asdict(target(options["database"])),
            "unapplied": unapplied(options["database"]),
        }
        if options["migrate"] is not None:
            facts["forwards"], facts["backwards"] = planned(options["migrate"])
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            shown = ", ".join(value) if isinstance(value, list) else value
            self.stdout.write(f"{name:<12} {shown or '-'}")


def planned(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what ``migrate`` with these arguments would apply, and what it would undo.

    Nothing where it only looks. What is wrong in the arguments, ``migrate`` itself says.
    """
    parser = load_command_class("django_runbook.schema", "migrate").create_parser(
        "manage.py", "migrate"
    )
    try:
        parsed = parser.parse_args(arguments)
        if parsed.plan or parsed.check_unapplied:
            return [], []
        return steps(parsed.app_label, parsed.migration_name, parsed.database)
    except (AmbiguityError, CommandError, KeyError):
        return [], []
