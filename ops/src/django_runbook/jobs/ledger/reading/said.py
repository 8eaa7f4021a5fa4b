"""What the ledger says of a change and a cutoff: its JSON holds whatever was written there."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django_runbook.jobs.database import clock
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.registry import Transition


@dataclass(frozen=True, kw_only=True)
class Said:
    """From what to what a run changed rows; of ``kept`` fields its batches know it, row by row."""

    model: str
    was: Mapping[str, Any]
    to: Mapping[str, Any]
    kept: tuple[str, ...]


def said(change: Any) -> Said | None:
    """Return what a run's change says; None where that cannot be read."""
    if not isinstance(change, dict):
        return None
    model, was, to = change.get("model"), change.get("was"), change.get("to")
    kept = change.get("kept", [])
    right = isinstance(model, str) and isinstance(was, dict) and isinstance(to, dict)
    if not right or not isinstance(kept, list) or not all(isinstance(one, str) for one in kept):
        return None
    return Said(model=str(model), was=dict(was or {}), to=dict(to or {}), kept=tuple(kept))


def said_of_row(batch: Batch, place: int | None) -> Said | None:
    """Return what became of one row of a batch, at its place there; None where nobody can read it.

    ``was`` and ``to`` hold the kept fields as well, as far as the batch knows them.
    """
    found = said(batch.run.change)
    if found is None or place is None or not found.kept:
        return found
    was, to = dict(found.was), dict(found.to)
    for column, known in ((batch.old, was), (batch.new, to)):
        row = column[place] if isinstance(column, list) and place < len(column) else None
        if isinstance(row, list) and len(row) == len(found.kept):
            known.update(zip(found.kept, row, strict=True))
    return Said(model=found.model, was=was, to=to, kept=found.kept)


def taken_over(
    moved: Transition, earlier: Run | None, now: datetime.datetime
) -> tuple[datetime.datetime, datetime.datetime] | None:
    """Return the time and the cutoff (aware) with which a run goes on from ``earlier``.

    None where that run had not come so far as to have them. Raises ``RefusedError`` where they
    cannot be read, or would let rows be changed that are not due at ``now`` (aware).
    """
    if earlier is None:
        return None
    as_of, cutoff = earlier.parameter("as_of"), earlier.cutoff
    if as_of is None and cutoff is None and not earlier.model:
        return None
    if as_of is None or cutoff is None:
        wrong = "no time and cutoff that can be read"
    elif as_of > (latest := now + clock.MOST_SKEW) or cutoff > moved.cutoff(latest):
        wrong = f"a cutoff for which it is too early ({cutoff.isoformat()})"
    else:
        return as_of, cutoff
    way_on = "With --as-of TIME a run does not go on from it."
    if moved.once:
        way_on = f"Put it back first: inv jobs.undo {earlier.pk}"
    raise RefusedError(
        f"Refused: run {earlier.pk}, which this one would go on from, has {wrong} in the ledger; "
        f"nothing was changed. {way_on}"
    )
