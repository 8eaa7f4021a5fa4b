"""What jobs there are: declared in pyproject.toml, and moved rows that apps register.

An app registers its transitions in a module named ``jobs``, which is found at start.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import QuerySet

from django_runbook.config import Job, of_settings
from django_runbook.schedule import slots

#: A time like any other, to ask a job for its model.
SOME_TIME = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


def itself(as_of: datetime.datetime) -> datetime.datetime:
    """Return the time itself, as a cutoff."""
    return as_of


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to a row: ``to``, or ``fill`` or ``each`` with the ``fields`` that they set.

    ``was`` is what each row must be before, in constants of the model's own fields.
    """

    model: type[models.Model]
    was: Mapping[str, Any]
    to: Mapping[str, Any]
    fill: Callable[[Sequence[Any]], None] | None = None
    each: Callable[[Any], None] | None = None
    fields: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """The fields of which each batch keeps what every row was and became.

        All but those that are set from a constant to a constant, which the run itself keeps.
        """
        known = {name for name in self.to if name in self.was and not is_computed(self.to[name])}
        return tuple(name for name in (*self.to, *self.fields) if name not in known)

    def recorded(self) -> dict[str, Any]:
        """Return the fields of a run that keep it."""
        return {"model": self.model._meta.label_lower, "change": self.as_json()}

    def as_json(self) -> dict[str, Any]:
        """Return what the ledger keeps: constants, and the names of what the batches keep."""
        kept = self.kept
        to = {name: value for name, value in self.to.items() if name not in kept}
        return {
            "model": self.model._meta.label_lower,
            "was": {name: _plain(self.model, name, value) for name, value in self.was.items()},
            "to": {name: _plain(self.model, name, value) for name, value in to.items()},
            **({"kept": list(kept)} if kept else {}),
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
    """A job that changes rows, batch by batch, from one state to another.

    What a row becomes is one of three:

    - ``to``: for each field a constant or a queryset expression (``F``, ``Case``, ``Subquery``);
    - ``fill``: a function that is handed the instances of a batch and sets their ``fields``;
    - ``each``: a function that is handed each row, and saves it itself: signals are sent, history
      tables are written. ``fields`` are those of its table that it changes.

    What was changed must no longer be due; with ``once`` it may be: such a job goes through its
    rows once, by their order, alone, and never again until it is undone.
    """

    job: str
    #: The rows that are due under a cutoff.
    due: Callable[[datetime.datetime], QuerySet[Any]]
    #: Rows whose ``since`` lies before it are due at a time: the time itself, where none is given.
    cutoff: Callable[[datetime.datetime], datetime.datetime] = itself
    #: The rows that could ever become due, for the limit on the share: all of the table's.
    population: Callable[[], QuerySet[Any]] | None = None
    #: The date or time that makes a row due, also of a related row (``user__date_joined``). The
    #: batches follow it, where it is given, and the primary key.
    since: str | None = None
    was: Mapping[str, Any] = field(default_factory=dict)
    to: Mapping[str, Any] = field(default_factory=dict)
    fill: Callable[[Sequence[Any]], None] | None = None
    each: Callable[[Any], None] | None = None
    fields: tuple[str, ...] = ()
    once: bool = False
    #: The rows that are still wrong when all is done; those that are still due, without it.
    verify: Callable[[], QuerySet[Any]] | None = None
    #: Asked between two batches. True lets the run wait, and it is asked again after a second; a
    #: number lets it wait for so many seconds.
    throttle: Callable[[], bool | float] | None = None
    #: What earlier releases changed in this job's runs, which can be undone as long as it stands
    #: here: an undo puts back nothing but what is registered.
    undoes: tuple[Change, ...] = ()
    #: Says of one row, found by what a person types, why it did or did not change. Raises
    #: ``LookupError`` with a sentence where there is none.
    explain: Callable[[str, datetime.datetime], Explanation] | None = None

    @property
    def change(self) -> Change:
        """The change of each row."""
        return Change(
            model=self.everyone().model,
            was=self.was,
            to=self.to,
            fill=self.fill,
            each=self.each,
            fields=self.fields,
        )

    def everyone(self) -> QuerySet[Any]:
        """Return the rows that could ever become due."""
        if self.population is not None:
            return self.population()
        rows: QuerySet[Any] = self.due(SOME_TIME).model._base_manager.all()
        return rows

    def wrong(self, cutoff: datetime.datetime) -> QuerySet[Any] | None:
        """Return the rows that should not be there after a run; None where nothing tells them."""
        if self.verify is not None:
            return self.verify()
        return None if self.once else self.due(cutoff)


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


def is_computed(value: Any) -> bool:
    """Tell whether the database works out a value, row by row."""
    return hasattr(value, "resolve_expression")


def field_of(model: type[models.Model], name: str) -> Any:
    """Return a field of the model's own table."""
    return model._meta.pk if name == "pk" else model._meta.get_field(name)


def _plain(model: type[models.Model], name: str, value: Any) -> Any:
    """Return a field's value as JSON keeps it. Raises ``TypeError`` for an expression."""
    if is_computed(value):
        raise TypeError(f"{name} is an expression; what a row was is known by constants.")
    prepared = field_of(model, name).get_prep_value(value)
    return prepared if isinstance(prepared, int | float | None) else str(prepared)
