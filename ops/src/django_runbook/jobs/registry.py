"""What jobs there are: declared in pyproject.toml, and moved rows that apps register.

An app registers its transitions in a module named ``jobs``, which is found at start.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import QuerySet

from django_runbook.config import Job, of_settings
from django_runbook.schedule import slots


@dataclass(frozen=True, kw_only=True)
class Change:
    """From which values to which: constants of the model's own fields, so that it can be undone."""

    model: type[models.Model]
    was: Mapping[str, Any]
    to: Mapping[str, Any]

    def recorded(self) -> dict[str, Any]:
        """Return the fields of a run that keep it."""
        return {"model": self.model._meta.label_lower, "change": self.as_json()}

    def as_json(self) -> dict[str, Any]:
        """Return what the ledger keeps."""
        return {
            "model": self.model._meta.label_lower,
            "was": {name: _plain(self.model, name, value) for name, value in self.was.items()},
            "to": {name: _plain(self.model, name, value) for name, value in self.to.items()},
        }


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


def job(name: str) -> Job:
    """Return a job as it is declared; one that is not declared has no schedule.

    Raises ``ConfigError`` where the declaration is wrong.
    """
    found = of_settings()
    if found is None:
        return Job(name=name)
    slots.check(found.job(name), found.root / "pyproject.toml")
    return found.job(name)


def declared() -> list[Job]:
    """Return the declared jobs in their order. Raises ``ConfigError`` where one is wrong."""
    found = of_settings()
    return [job(name) for name in (found.jobs if found else ())]


def field_of(model: type[models.Model], name: str) -> Any:
    """Return a field of the model's own table."""
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def _plain(model: type[models.Model], name: str, value: Any) -> Any:
    """Return a field's value as JSON keeps it. Raises ``TypeError`` for an expression."""
    if hasattr(value, "resolve_expression"):
        raise TypeError(f"{name} is an expression; a change that can be undone takes constants.")
    prepared = field_of(model, name).get_prep_value(value)
    return prepared if isinstance(prepared, int | float | None) else str(prepared)
