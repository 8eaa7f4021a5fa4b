"""One batch: lock the rows, change those that are still as they were, write down which.

On PostgreSQL that is one statement, and the ids never leave the server; every other engine, and
what SQL cannot say, takes the way through the ORM.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connections, models
from django.db.models import QuerySet

from django_runbook.jobs.batches import postgresql
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.registry import Change


@dataclass(frozen=True)
class Changed:
    """What one batch came to: rows locked, rows that the database changed, the last key.

    ``counted`` tells whether the run, still running, has counted them already.
    """

    picked: int
    changed: int
    last: tuple[Any, ...] | None
    counted: bool = False


def pick(
    due: QuerySet[Any], *, order: tuple[str, ...], after: Any, size: int, skip_locked: bool
) -> QuerySet[Any, Any]:
    """Return the next ``size`` keys behind ``after``, to be locked by whoever reads them."""
    if after is not None:
        one_bound = connections[due.db].vendor == "postgresql"
        due = due.filter(_row_behind(order, after) if one_bound else _behind(order, after))
    features = connections[due.db].features
    if features.has_select_for_update:
        due = due.select_for_update(
            skip_locked=skip_locked and features.has_select_for_update_skip_locked,
            no_key=features.has_select_for_no_key_update,
        )
    return due.order_by(*order).values_list(*order)[:size]


def apply(picked: QuerySet[Any, Any], change: Change, run: Run, number: int) -> Changed:
    """Lock and change what is picked, and write the batch. Runs in the caller's transaction."""
    if postgresql.fits(change, connections[picked.db]):
        return one_statement(picked, change, run, number)
    return portable(picked, change, run, number)


def portable(picked: QuerySet[Any, Any], change: Change, run: Run, number: int) -> Changed:
    """Do it in three statements through the ORM, on any engine."""
    keys = list(picked)
    if not keys:
        return Changed(0, 0, None)
    ids = [key[-1] for key in keys]
    rows = change.model._base_manager.using(picked.db).filter(pk__in=ids, **change.was)
    changed = rows.update(**change.to)
    if changed != len(ids):  # a trigger kept a row, or the engine has no locks and somebody paid
        found = change.model._base_manager.using(picked.db).filter(pk__in=ids, **change.to)
        done = set(found.values_list("pk", flat=True))
        ids = [key for key in ids if key in done]
    if ids:
        batch = Batch(run=run, number=number, changed=len(ids))
        batch.ids = ids
        batch.save(using=picked.db, force_insert=True)
    return Changed(len(keys), len(ids), keys[-1])


def one_statement(picked: QuerySet[Any, Any], change: Change, run: Run, number: int) -> Changed:
    """Do it in one statement of PostgreSQL."""
    row = postgresql.apply(picked, change, run, number)
    if row is None:
        return Changed(0, 0, None)
    *last, locked, changed, counted = row
    return Changed(locked, changed, tuple(last), counted)


def _row_behind(order: tuple[str, ...], after: tuple[Any, ...]) -> models.Q:
    """Return the same in one comparison: an index is read from there, however many share a time.

    Else each batch reads anew what others with its time have left, while an old snapshot, such as
    a dump's, keeps that from being cleaned up.
    """
    keys, last = (models.Func(*row, function="ROW") for row in (order, map(models.Value, after)))
    behind = models.Func(
        keys,
        last,
        template="(%(expressions)s)",
        arg_joiner=" > ",
        output_field=models.BooleanField(),
    )
    return models.Q(behind)


def _behind(order: tuple[str, ...], after: tuple[Any, ...]) -> models.Q:
    """Return the rows whose key is larger; the first comparison is one that an index can use."""
    if len(order) == 1:
        return models.Q(**{f"{order[0]}__gt": after[0]})
    first, rest = order[0], _behind(order[1:], after[1:])
    return models.Q(**{f"{first}__gte": after[0]}) & (models.Q(**{f"{first}__gt": after[0]}) | rest)
