"""`[tool.django-runbook.notify]`: who is told what is wrong with the jobs, and when it is well."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django_runbook.config import rules
from django_runbook.config.keys import TABLE, Rule, key, read

ADDRESS = r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+"


def _are_addresses(value: Any) -> bool:
    """Tell whether these are addresses of mail."""
    return isinstance(value, list) and all(
        isinstance(each, str) and bool(re.fullmatch(ADDRESS, each)) for each in value
    )


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Who is told of a run that failed, was refused or lost, of one that is slow, and of the end.

    In an environment where nobody loses anything (``local``, ``dev``, ``test``, ``demo``, and what
    ``unprotected`` declares) nobody is told.
    """

    mail: tuple[str, ...] = key(
        Rule(_are_addresses, 'a list of addresses, as in ["ops@example.org"]'),
        "Who gets a mail, by Django's own settings for mail, when a run fails, is refused, lost or "
        "slow, and when the job is well again.",
        default=(),
    )
    webhook: str | None = key(
        rules.variable('an environment variable, as in "OPS_WEBHOOK_URL"'),
        "The environment variable that holds the address which gets the same as JSON.",
        default=None,
    )


def read_notify(file: Path, value: Any) -> Notify:
    """Return who is told. Raises ``ConfigError`` for its first key that breaks its rule."""
    return Notify(**read(file, f"{TABLE}.notify", value, Notify))
