"""Shows what a command is about to do, and wants a protected database's name."""

import sys

from django_runbook.schema.database.target import Target, target
from django_runbook.schema.errors import GuardError
from django_runbook.text.cleaning import unbroken


def guard(alias: str, action: str, *, confirm: str | None) -> Target:
    """Show the action and its target on standard error, and return the target.

    On a protected target the database's name must be typed, or be given as ``confirm``. Raises
    ``GuardError`` where it is another, and without a terminal; nothing was touched then. The
    databases of a test run are nobody's.
    """
    at = target(alias, connect=not in_test_run())
    if in_test_run():
        return at
    _say(announced(action, at) + "\n")
    if not at.protected:
        return at
    if confirm is None and sys.stdin is not None and sys.stdin.isatty():
        confirm = _typed(at)
    if confirm is None:
        raise GuardError(
            f"Refused: the target is protected ({at.why}) and there is no terminal. "
            f"Add --confirm {at.name}."
        )
    if confirm != at.name:
        raise GuardError(f"Refused: '{confirm}' is not {at.name}; nothing was changed.")
    return at


def announced(action: str, at: Target) -> str:
    """Return the line that shows an action and its target."""
    replica = " (a replica, which takes no writes)" if at.replica else ""
    return unbroken(f"{action}: {at}{replica}")


def in_test_run() -> bool:
    """Tell whether Django's test environment is set up, in which databases are made to be lost."""
    utils = sys.modules.get("django.test.utils")  # whoever tests has imported it
    return hasattr(getattr(utils, "_TestState", None), "saved_data")


def _typed(at: Target) -> str:
    """Ask on standard error, so that what the command prints can be read by a program."""
    _say(unbroken(f"This is a protected target ({at.why}). Type {at.name} to go on: "))
    return sys.stdin.readline().strip()


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
