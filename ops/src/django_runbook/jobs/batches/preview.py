"""Looks what a run of a registered transition would find, and changes nothing."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.models import QuerySet

from django_runbook.jobs.batches import checking, limits, once
from django_runbook.jobs.batches.rows import paging
from django_runbook.jobs.batches.rows.changes import RowWork
from django_runbook.jobs.batches.rows.failures import RowError
from django_runbook.jobs.batches.stopping import Stop, breakable
from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.faults import one_line
from django_runbook.jobs.registry import Change, Transition
from django_runbook.jobs.registry import job as declared_job

#: Rows of a dry run that are shown before and after.
EXAMPLES = 10


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row that is due: its key, and what a run sets, as the ledger keeps values."""

    pk: Any
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a run would find; ``limit`` says which limit it would exceed, empty where none.

    ``note`` says which limit it is not held against for want of a history; empty as a rule.
    ``examples`` are the first rows, before and after; ``unseen`` says why there are none.
    """

    as_of: datetime.datetime
    cutoff: datetime.datetime
    due: int
    limit: str
    note: str = ""
    examples: tuple[Example, ...] = ()
    unseen: str = ""


def preview_transition(
    moved: Transition,
    *,
    now: datetime.datetime,
    as_of: datetime.datetime | None = None,
    examples: int = 0,
    stop: Stop | None = None,
) -> Preview:
    """Say what a run would find at ``as_of`` (default ``now``, both aware); write nothing.

    With as many ``examples``. Raises ``RefusedError`` where a job that goes through its rows once
    has done so, ``ConfigError`` for a transition that cannot be, and ``StoppedError`` where
    ``stop`` asked for the end.
    """
    checking.require(moved)
    as_of = (as_of or now).astimezone(datetime.UTC)
    connection = connections[DEFAULT_DB_ALIAS]
    return breakable(stop or Stop(), connection, lambda: _preview(moved, as_of, examples))


def _preview(moved: Transition, as_of: datetime.datetime, examples: int) -> Preview:
    """Read what a run would find."""
    cutoff = moved.cutoff(as_of)
    rows = moved.due(cutoff)
    if moved.once and (before := once.earlier(moved)):
        rows = rows.filter(pk__gt=once.behind(moved, before))
    due = rows.count()
    job = declared_job(moved.job)
    compared = limits.compared(moved, due)
    seen, unseen = _examples(moved, rows, examples) if due and examples else ((), "")
    return Preview(
        as_of=as_of,
        cutoff=cutoff,
        due=due,
        limit=limits.exceeded(job, due=due, **compared),
        note=limits.untried(job, due=due, last=compared["last"]),
        examples=seen,
        unseen=unseen,
    )


def _examples(moved: Transition, due: QuerySet[Any], count: int) -> tuple[tuple[Example, ...], str]:
    """Return the first rows before and after; else why they cannot be shown.

    They are changed, and the transaction is rolled back: so triggers and the columns' own types
    show too.
    """
    change = moved.change
    if change.each:
        return (), "each row is handed to the job's own code, which is not run for a look"
    connection = connections[due.db]
    try:
        timeouts.before(connection)
        with transaction.atomic(using=due.db):
            timeouts.inside(connection)
            found = _changed(change, due, _first(moved, due, count))
            transaction.set_rollback(True, using=due.db)
    except (Error, RowError) as error:
        return (), one_line(error)
    finally:
        timeouts.after(connection)
    return found, ""


def _first(moved: Transition, due: QuerySet[Any], count: int) -> list[Any]:
    """Return the keys of the first rows in the order of the run."""
    keys: list[Any] = []
    for rows, order in paging.parts(due, None if moved.once else moved.since):
        found = rows.order_by(*order).values_list("pk", flat=True)[: count - len(keys)]
        keys += [key for key in found if key not in keys]
    return keys


def _changed(change: Change, due: QuerySet[Any], keys: list[Any]) -> tuple[Example, ...]:
    names = tuple(dict.fromkeys((*change.to, *change.fields)))
    work = RowWork(change, due.db, names)
    before = work.read(keys)
    work.act(keys)
    after = work.read(keys)
    sides = zip(*(work.encoded(keys, rows) for rows in (before, after)), strict=True)
    return tuple(
        Example(
            pk=key,
            before=dict(zip(names, was, strict=True)),
            after=dict(zip(names, becomes, strict=True)),
        )
        for key, (was, becomes) in zip(keys, sides, strict=True)
    )
