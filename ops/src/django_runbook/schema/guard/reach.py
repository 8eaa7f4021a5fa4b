"""How far the guard reaches: which commands that destroy are another app's own."""

from collections.abc import Iterator
from pathlib import Path

from django.core.management import get_commands

OWN = "django_runbook.schema"
COMMANDS = Path(__file__).resolve().parents[1] / "management" / "commands"


def unguarded() -> Iterator[tuple[str, str]]:
    """Yield the commands whose name is the kit's and that another app serves, with its name.

    The app that stands first in INSTALLED_APPS serves a command that several have.
    """
    served = get_commands()
    for file in sorted(COMMANDS.glob("[a-z]*.py")):
        app = str(served.get(file.stem, OWN))
        if app != OWN:
            yield file.stem, app
