"""The story of one row: why it did or did not change, what runs did to it, when it will change."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from django_runbook.config import Job
from django_runbook.jobs import registry
from django_runbook.jobs.ledger.pauses import PauseState, pauses, slots_outside
from django_runbook.jobs.ledger.reading import rows
from django_runbook.jobs.ledger.reading.said import said, said_of_row
from django_runbook.jobs.models import Batch
from django_runbook.jobs.registry import Transition

NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
INSTANT = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class RowChange:
    """What a run did to a row, and when; ``undoes`` is the run that it took back.

    ``was`` and ``to`` are empty where the ledger is broken there.
    """

    run: int
    job: str
    at: datetime.datetime
    was: Mapping[str, Any]
    to: Mapping[str, Any]
    undoes: int | None


@dataclass(frozen=True, kw_only=True)
class Story:
    """Why a row did or did not change, what runs did to it (newest first), and when it is due.

    ``next_slot`` is when a run will change it as it stands; None where the job has no schedule, or
    the row is not on the way. ``paused`` is the pause that the job is in.
    """

    job: str
    model: str
    pk: Any
    lines: tuple[str, ...]
    changes: tuple[RowChange, ...]
    due_from: datetime.datetime | None
    next_slot: datetime.datetime | None
    paused: PauseState | None


def explain(moved: Transition, text: str, now: datetime.datetime) -> Story:
    """Tell the story of the row that ``text`` names, at ``now`` (aware).

    Raises ``LookupError`` with a sentence where there is none, or the job explains none.
    """
    if moved.explain is None:
        raise LookupError(f"{moved.job} cannot explain its rows.")
    told = moved.explain(text, now)
    model, known = moved.change.model, pauses(moved.job, now)
    return Story(
        job=moved.job,
        model=str(model._meta.verbose_name),
        pk=told.pk,
        lines=told.lines,
        changes=tuple(
            _row_change(batch, model, told.pk)
            for batch in rows.batches_that_changed(model, told.pk)
        ),
        due_from=told.due_from,
        next_slot=_slot_from(registry.job(moved.job), told.due_from, now, known),
        paused=next((each for each in known if each.lasts(now)), None),
    )


def _row_change(batch: Batch, model: type[Model], pk: Any) -> RowChange:
    found = said(batch.run.change)
    if found and found.kept:
        found = said_of_row(batch, rows.place_of(batch, model, pk))
    return RowChange(
        run=batch.run.pk,
        job=batch.run.job,
        at=batch.finished,
        was=found.was if found else {},
        to=found.to if found else {},
        undoes=batch.run.undoes_id,
    )


def _slot_from(
    job: Job,
    due_from: datetime.datetime | None,
    now: datetime.datetime,
    known: Sequence[PauseState],
) -> datetime.datetime | None:
    """Return the first slot at or after both that lies in no pause; None where there is none."""
    if due_from is None:
        return None
    return next(slots_outside(job, max(due_from, now) - INSTANT, NEVER, known), None)
