"""The story of one row: why it did or did not change, what runs did to it, when it will change."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django_runbook.config import Job
from django_runbook.jobs import registry
from django_runbook.jobs.ledger import queries
from django_runbook.jobs.registry import Transition
from django_runbook.schedule import slots

INSTANT = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class RowChange:
    """What a run did to a row, and when; ``undoes`` is the run that it took back."""

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
    the row is not on the way.
    """

    job: str
    model: str
    pk: Any
    lines: tuple[str, ...]
    changes: tuple[RowChange, ...]
    due_from: datetime.datetime | None
    next_slot: datetime.datetime | None


def explain(moved: Transition, text: str, now: datetime.datetime) -> Story:
    """Tell the story of the row that ``text`` names, at ``now`` (aware).

    Raises ``LookupError`` with a sentence where there is none, or the job explains none.
    """
    if moved.explain is None:
        raise LookupError(f"{moved.job} cannot explain its rows.")
    told = moved.explain(text, now)
    model = moved.change.model._meta
    return Story(
        job=moved.job,
        model=str(model.verbose_name),
        pk=told.pk,
        lines=told.lines,
        changes=tuple(
            RowChange(
                run=batch.run.pk,
                job=batch.run.job,
                at=batch.finished,
                was=batch.run.change["was"],
                to=batch.run.change["to"],
                undoes=batch.run.undoes_id,
            )
            for batch in queries.batches_that_changed(model.label_lower, told.pk)
        ),
        due_from=told.due_from,
        next_slot=_slot_from(registry.job(moved.job), told.due_from, now),
    )


def _slot_from(
    job: Job, due_from: datetime.datetime | None, now: datetime.datetime
) -> datetime.datetime | None:
    """Return the first slot at or after both; None where there will be none."""
    if due_from is None:
        return None
    return slots.after(job, max(due_from, now) - INSTANT)
