"""What is wrong with a registered transition: looked at when Django starts, and before its use."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import Error, models

from django_runbook.config import ConfigError
from django_runbook.jobs.batches.rows import paging, values
from django_runbook.jobs.registry import SOME_TIME, Transition, field_of, is_computed


def faults(moved: Transition) -> list[str]:
    """Return what is wrong, each in a sentence that names the job."""
    try:
        found = list(_faults(moved))
    except Error:  # it asks the database for its rows, and that has no tables yet
        return []
    except (FieldError, FieldDoesNotExist) as error:
        found = [str(error).rstrip(".")]
    return [f"{moved.job}: {fault}." for fault in found]


def require(moved: Transition) -> None:
    """Raise ``ConfigError`` with the first thing that is wrong with a transition."""
    for fault in faults(moved):
        raise ConfigError(fault)


def _faults(moved: Transition) -> Iterator[str]:
    due = moved.due(SOME_TIME)
    query: Any = due.query
    if query.is_sliced or query.combinator or query.values_select:
        yield "due must return rows of one table: no slice, no union, no values()"
        return
    model = due.model
    yield from _ways(moved)
    yield from _fields(moved, model)
    if moved.since is not None:
        yield from _since(model, moved.since)
    if moved.everyone().model._meta.concrete_model is not model._meta.concrete_model:
        yield "population is of another model than due"


def _ways(moved: Transition) -> Iterator[str]:
    """Say what is wrong with what a row becomes."""
    given = " and ".join(name for name in ("to", "fill", "each") if getattr(moved, name))
    if given not in {"to", "fill", "each"}:
        yield f"one of to, fill and each says what a row becomes, not {given or 'none'}"
    if bool(moved.fields) != bool(moved.fill or moved.each):
        yield "fields names what fill or each sets, and stands with one of them alone"
    if computed := ", ".join(name for name, value in moved.was.items() if is_computed(value)):
        yield f"was takes constants alone, and {computed} is an expression"


def _fields(moved: Transition, model: type[models.Model]) -> Iterator[str]:
    """Say which fields are none, or cannot be kept for an undo."""
    for name in moved.was:
        if not field_of(model, name).concrete:
            yield f"{name} is no column of {model._meta.label}"
    for name in (*moved.to, *moved.fields):
        if why := values.unkept(field_of(model, name)):
            yield f"what {name} was cannot be kept: {why}"


def _since(model: type[models.Model], since: str) -> Iterator[str]:
    """Say why rows cannot be ordered by a time."""
    try:
        last = paging.path(model, since)[-1]
    except ValueError as error:
        yield f"since = '{since}': {error}"
        return
    if not isinstance(last, models.DateField):  # of which a DateTimeField is one
        yield f"since = '{since}': a {type(last).__name__} is neither a date nor a time"
