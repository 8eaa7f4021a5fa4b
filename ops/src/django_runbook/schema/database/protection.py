"""Which targets are protected: what destroys them wants their name first."""

import os
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings

from django_runbook.config import ConfigError, of_settings
from django_runbook.schema.database.reached import Reached

#: Environments in which nobody loses anything, beside those that ``unprotected`` declares.
LOCAL = frozenset({"local", "dev", "test", "demo"})


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The name of the environment, and where it was read; both empty where nobody says it."""

    name: str
    source: str

    @property
    def said(self) -> str:
        """Who says it, and what; empty where nobody does."""
        return f"{self.source} is {self.name}" if self.name else ""


def environment() -> Environment:
    """Return ENVIRONMENT of the settings, else of the process; spaces and case are nothing."""
    for source, value in (
        ("settings.ENVIRONMENT", getattr(settings, "ENVIRONMENT", "")),
        ("the variable ENVIRONMENT", os.environ.get("ENVIRONMENT", "")),
    ):
        name = str(value or "").strip().casefold()
        if name:
            return Environment(name=name, source=source)
    return Environment(name="", source="")


def protected_because(found: Environment, at: Reached) -> str:
    """Return why a target is protected; empty where it is not.

    Fails closed: an environment that is not known is a protected one, and so is a server beside
    which nobody says which environment this is (a loopback port may be a tunnel or a pooler), and
    everything where the configuration cannot be read.
    """
    try:
        config = of_settings()
    except ConfigError:
        return "the configuration cannot be read"
    return _because(
        found,
        at,
        protected=config.protected if config else {"production"},
        unprotected=config.unprotected if config else (),
        debug=settings.DEBUG,
    )


def _because(
    found: Environment,
    at: Reached,
    *,
    protected: Collection[str],
    unprotected: Collection[str],
    debug: bool,
) -> str:
    if found.name in protected:
        return found.said
    if found.name and found.name not in {*LOCAL, *unprotected}:
        return f"{found.said}, which is not declared as unprotected"
    if not found.name and not debug:
        return "neither ENVIRONMENT nor DEBUG is set"
    if not found.name and not at.socket:
        return "ENVIRONMENT is not set beside a server"
    if not at.local:
        return "the server is on another machine" if at.answered else "the server did not answer"
    return ""
