"""What Django's checks say of the jobs: ``manage.py check``, ``inv check``, ``inv doctor``."""

import difflib
from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, register
from django.core.management import get_commands

from django_runbook.config import ConfigError, of_settings
from django_runbook.jobs.batches.checking import faults
from django_runbook.jobs.database.zones import check_zones
from django_runbook.jobs.registry import transitions

TAG = "runbook_jobs"


def check_commands(**_: Any) -> Sequence[CheckMessage]:
    """Return a warning for each declared job that names no management command.

    No error, for Django would run no command then: a wrong name must not stop the other jobs. A
    configuration that cannot be read is for whoever reads it to say.
    """
    try:
        found = of_settings()
    except ConfigError:
        return []
    known = get_commands()
    missing = [name for name in (found.jobs if found else ()) if name not in known]
    return [
        checks.Warning(
            f"The job {name} of pyproject.toml names no management command.",
            hint=_hint(name, sorted(known)),
            id="runbook_jobs.W002",
        )
        for name in missing
    ]


def check_transitions(**_: Any) -> Sequence[CheckMessage]:
    """Return an error for each thing that is wrong with a registered transition."""
    found = (fault for moved in transitions().values() for fault in faults(moved))
    return [checks.Error(fault, id="runbook_jobs.E003") for fault in found]


def register_checks() -> None:
    """Let Django ask all of them whenever it checks, as before every command."""
    register(check_zones, TAG)
    register(check_commands, TAG)
    register(check_transitions, TAG)


def _hint(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    where = f"[tool.django-runbook.jobs.{name}]"
    return f"Call the table {where} {near[0]}." if near else f"Take {where} out."
