"""`manage.py migration_names FILE...`: which migrations these files are, as `db.sql` takes them."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops.schema.selectors import migration_files


class Command(BaseCommand):
    """Prints the app's label and the migration's name, a line for each file."""

    help = "Name the migrations in these files: an app's label is not always its folder"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the files."""
        parser.add_argument("files", nargs="*", type=Path, help="Files of migrations.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Name them in the order given."""
        known = migration_files()
        for file in options["files"]:
            if file.resolve() not in known:
                raise CommandError(f"{file} is no migration of an installed app.")
            self.stdout.write(" ".join(known[file.resolve()]))
