"""Compares operations and states by what they serialize to: ``repr`` holds addresses."""

import copy
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from django_runbook.schema.squash.write.values import plain


def operation_text(operation: Operation) -> str:
    """Return an operation with the arguments that make it; code by what it does, not its name."""
    return repr(plain(operation))


def operation_differences(
    ours: Sequence[Operation], theirs: Sequence[Operation]
) -> tuple[str, ...]:
    """Return what differs between two lists of operations; nothing where they are equal."""
    lines = []
    for number, (one, other) in enumerate(zip_longest(ours, theirs)):
        if one is None or other is None:
            there = one or other
            lines.append(f"operation {number}: {there.describe() if there else ''} is missing")
        elif operation_text(one) != operation_text(other):
            lines.append(f"operation {number}: {one.describe()} is not {other.describe()}")
    return tuple(lines)


def state_texts(state: ProjectState) -> dict[str, str]:
    """Return each model of a state (``app.model``) as text: fields, options, bases, managers."""
    return {".".join(key): repr(_model(model)) for key, model in sorted(state.models.items())}


def state_differences(ours: ProjectState, theirs: ProjectState) -> tuple[str, ...]:
    """Return what differs between two states, a line for each model; nothing where they are equal.

    The order of fields counts: it is that of the columns.
    """
    one, other = state_texts(ours), state_texts(theirs)
    lines = []
    for label in sorted({*one, *other}):
        if label not in one or label not in other:
            lines.append(f"{label} is only in {'the first' if label in one else 'the second'}")
        elif one[label] != other[label]:
            key = tuple(label.split(".", 1))
            lines.append(f"{label}: {_where(ours.models[key], theirs.models[key])}")
    return tuple(lines)


def _model(model: ModelState) -> dict[str, Any]:
    return {
        "name": model.name,
        "fields": [(name, plain(field)) for name, field in model.fields.items()],
        "options": plain(_options(model.options)),
        "bases": plain([base.lower() if isinstance(base, str) else base for base in model.bases]),
        "managers": plain(model.managers),
    }


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's options; an empty one says what its absence says, and sets have no order."""
    shown = copy.copy(dict(options))
    for name in ("unique_together", "index_together"):
        shown[name] = {tuple(fields) for fields in shown.get(name) or ()}
    return {name: value for name, value in shown.items() if value not in (None, [], (), set(), {})}


def _where(ours: ModelState, theirs: ModelState) -> str:
    """Say in which parts two models differ."""
    one, other = _model(ours), _model(theirs)
    parts = [name for name in one if one[name] != other[name] and name != "fields"]
    mine, other_fields = dict(one["fields"]), dict(other["fields"])
    names = sorted({*mine, *other_fields})
    parts += [f"field {name}" for name in names if mine.get(name) != other_fields.get(name)]
    if not parts:
        parts = ["the order of the fields"]
    return ", ".join(parts)
