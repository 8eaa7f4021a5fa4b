"""The guard before `migrate`: forward and back, run and recorded alone."""

from contextlib import suppress
from typing import Any

from django.db.migrations.exceptions import AmbiguityError

from django_runbook.schema.database.target import steps, target
from django_runbook.schema.guard.commands import confirmed
from django_runbook.schema.guard.confirmation import in_test_run
from django_runbook.schema.wording import first


def confirm_migrate(options: dict[str, Any]) -> None:
    """Ask, on a protected target, where ``migrate`` with these options would do anything.

    What is wrong in the names, Django itself says. Raises ``CommandError`` with exit code 3.
    """
    if in_test_run() or not target(options["database"]).protected:
        return  # the plan that migrate prints names the database
    if options["prune"]:
        confirmed(options, f"Forget the replaced migrations of {options['app_label']} in")
        return
    with suppress(AmbiguityError, KeyError):
        names = options["app_label"], options["migration_name"]
        ahead, back = steps(*names, options["database"])
        if ahead or back:
            confirmed(options, _action(ahead, back, fake=options["fake"]))
        elif options["run_syncdb"]:
            confirmed(options, "Make the tables of apps without migrations in")


def _action(ahead: list[str], back: list[str], *, fake: bool) -> str:
    """Return what would be done, as in "Undo users.0003_profile and 2 more"."""
    if fake:
        return (
            f"Record as {'undone' if back else 'applied'}, without running, {first(back or ahead)}"
        )
    return f"Undo {first(back)}" if back else f"Apply {first(ahead)}"
