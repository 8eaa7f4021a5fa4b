"""Whether Django's times have a zone: the ledger, slots and cutoffs have no meaning without."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from django_runbook.jobs.errors import RefusedError

WHAT = "USE_TZ is False, and the jobs need times with a zone"
MEND = "Set USE_TZ = True; Django's documentation says how ('Time zones', migration guide)."


def check_zones(**_: Any) -> Sequence[CheckMessage]:
    """Return an error for Django's checks where ``USE_TZ`` is off."""
    return [] if settings.USE_TZ else [Error(f"{WHAT}.", hint=MEND, id="runbook_jobs.E001")]


def require_zones() -> None:
    """Raise ``RefusedError`` where ``USE_TZ`` is off."""
    if not settings.USE_TZ:
        raise RefusedError(f"Refused: {WHAT}; nothing was changed. {MEND}")
