"""Names that are near to one that does not exist."""

import difflib
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db.migrations.loader import MigrationLoader

WRONG_USAGE = 2


def near(word: str, known: Iterable[str]) -> str:
    """Return a question with the names near to ``word``, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=3)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def require_apps(labels: Iterable[str]) -> None:
    """Raise ``CommandError`` with code 2 for a label that no installed app has."""
    known = [config.label for config in apps.get_app_configs()]
    for label in labels:
        if label not in known:
            raise CommandError(
                f"No installed app with label '{label}'.{near(label, known)}",
                returncode=WRONG_USAGE,
            )


def near_migration(label: str, name: str | None) -> str:
    """Return a question with the app's migrations near to ``name``, or nothing."""
    names = [key[1] for key in MigrationLoader(None).disk_migrations if key[0] == label]
    return near(name or "", names)


class Suggesting(BaseCommand):
    """Goes before a Django command: unknown apps and migrations are told with the near names."""

    def handle(self, *args: Any, **options: Any) -> Any:
        """Check the labels, run the command, and add near names to what it cannot find."""
        given = options.get("app_label") or args
        labels = [given] if isinstance(given, str) else list(given)
        require_apps(labels)
        try:
            return super().handle(*args, **options)
        except CommandError as error:
            name = options.get("migration_name")
            hint = near_migration(labels[0], str(name)) if labels and name else ""
            raise CommandError(f"{error}{hint}", returncode=error.returncode) from error
