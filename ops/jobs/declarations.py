"""What jobs there are: declared in pyproject.toml, and moved rows that apps register.

An app registers its transitions in a module named ``jobs``, which is found at start.
"""

import datetime
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import ENVIRONMENT_VARIABLE
from django.db.models import QuerySet

from ops.config import Config, Job, find_root, load
from ops.jobs.changes import Change
from ops.schedule import slots


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a row did or did not change: its key in the ledger, and lines for a person."""

    pk: Any
    lines: tuple[str, ...]
    #: When it becomes due (aware); None where it never will, as it stands.
    due_from: datetime.datetime | None


@dataclass(frozen=True, kw_only=True)
class Transition:
    """A job that moves rows from one state to another once their time has come."""

    job: str
    #: Rows whose ``since`` lies before it are due at a time.
    cutoff: Callable[[datetime.datetime], datetime.datetime]
    #: The rows that are due under a cutoff.
    due: Callable[[datetime.datetime], QuerySet[Any]]
    #: The rows that could ever become due, for the limit on the share.
    population: Callable[[], QuerySet[Any]]
    since: str
    was: Mapping[str, Any]
    to: Mapping[str, Any]
    #: Says of one row, found by what a person types, why it did or did not change. Raises
    #: ``LookupError`` with a sentence where there is none.
    explain: Callable[[str, datetime.datetime], Explanation] | None = None

    @property
    def change(self) -> Change:
        """The change of each row."""
        return Change(model=self.population().model, was=self.was, to=self.to)


_registered: dict[str, Transition] = {}


def register(transition: Transition) -> Transition:
    """Make a transition known to ``job_status``, ``explain_job`` and the ledger."""
    _registered[transition.job] = transition
    return transition


def transitions() -> Mapping[str, Transition]:
    """Return every registered transition by the name of its job."""
    return _registered


def config() -> Config | None:
    """Return the project's ``[tool.ops]``; None where no pyproject.toml above it has one.

    Raises ``ConfigError`` with the key and the value where it is wrong.
    """
    module = sys.modules.get(os.environ.get(ENVIRONMENT_VARIABLE, ""))
    root = find_root(Path(module.__file__).parent if module and module.__file__ else Path.cwd())
    return load(root) if root else None


def job(name: str) -> Job:
    """Return a job as it is declared; one that is not declared has no schedule.

    Raises ``ConfigError`` where the declaration is wrong.
    """
    found = config()
    if found is None:
        return Job(name=name)
    slots.check(found.job(name), found.root / "pyproject.toml")
    return found.job(name)


def declared() -> list[Job]:
    """Return the declared jobs in their order. Raises ``ConfigError`` where one is wrong."""
    found = config()
    return [job(name) for name in (found.jobs if found else ())]
