"""One batch: lock the rows, change those that are still as they were, write down which.

On PostgreSQL that is one statement, and the ids never leave the server; every other engine, and
what SQL cannot say, takes the way through the ORM.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import Error, connections
from django.db.models import QuerySet

from django_runbook.jobs.batches.rows import paging, postgresql, values
from django_runbook.jobs.batches.rows.failures import Failures, RowError, Trial
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.registry import Change, field_of

Values = Mapping[Any, Sequence[Any]]


@dataclass(frozen=True)
class Changed:
    """What one batch came to: rows locked, rows that the database changed, the last key.

    ``asked`` is who asked the run to end, where that, still running, has counted them already;
    None where it has not. ``trial`` is what has looked for the rows that cannot be changed, where a
    try before has met one.
    """

    picked: int
    changed: int
    last: tuple[Any, ...] | None
    asked: str | None = None
    trial: Trial | None = None


def apply(
    picked: QuerySet[Any, Any],
    change: Change,
    run: Run,
    number: int,
    failures: Failures | None = None,
) -> Changed:
    """Lock and change what is picked, and write the batch. Runs in the caller's transaction."""
    if in_one_statement(picked, change) and not (failures and failures.careful):
        return one_statement(picked, change, run, number)
    return portable(picked, change, run, number, failures)


def in_one_statement(picked: QuerySet[Any, Any], change: Change) -> bool:
    """Tell whether PostgreSQL's one statement can do it; all the rest takes the portable way."""
    if change.fill or change.each or paging.is_repeated(picked):
        return False
    return postgresql.fits(change, connections[picked.db])


def portable(
    picked: QuerySet[Any, Any],
    change: Change,
    run: Run,
    number: int,
    failures: Failures | None = None,
) -> Changed:
    """Do it in a few statements through the ORM, on any engine."""
    found = list(picked.values_list("pk", flat=True))
    if not found:
        return Changed(0, 0, None)
    known = failures.keys if failures else set()
    ids = [key for key in dict.fromkeys(found) if key not in known]
    ids = paging.locked(picked, ids)
    deferred = bool(failures and failures.at_commit)
    work = RowWork(change, picked.db, change.kept, deferred=deferred)
    old = work.read(ids)
    trial = Trial(failures) if failures and failures.careful else None
    last = paging.place(picked, found[-1])
    if trial is None:
        work.act(ids)
    else:
        ids = trial.act(ids, work.act)
        trial.write()
        if trial.hopeless:  # what comes after it was not tried
            last = paging.place(picked, trial.found[-1][0])
    ids, new = work.changed(ids, old)
    if ids:
        batch = Batch(run=run, number=number, changed=len(ids))
        batch.ids = ids
        if change.kept:
            batch.old, batch.new = work.encoded(ids, old), work.encoded(ids, new)
        batch.save(using=picked.db, force_insert=True)
    return Changed(len(found), len(ids), last, trial=trial)


class RowWork:
    """What happens to rows that are locked, and what ``names`` of their fields hold.

    ``deferred`` says that constraints are looked at that would else be at the commit.
    """

    def __init__(
        self, change: Change, using: str, names: Sequence[str], *, deferred: bool = False
    ) -> None:
        self._change, self._using, self._deferred = change, using, deferred
        self._names = names
        self._fields = [field_of(change.model, name) for name in names]
        self._rows: QuerySet[Any] = change.model._base_manager.using(using).order_by()
        #: How many rows the database has changed; None where the job's own code did it.
        self._count: int | None = 0

    def read(self, ids: list[Any]) -> Values:
        """Return the values of the fields by the keys of the rows."""
        if not self._names:
            return {}
        rows = paging.among(self._rows, ids).values_list("pk", *self._names)
        return {key: found for key, *found in rows}

    def act(self, ids: list[Any]) -> None:
        """Change those of these rows that are as they were. Raises ``RowError``."""
        rows = paging.among(self._rows, ids).filter(**self._change.was)
        if self._change.fill or self._change.each:
            found = {row.pk: row for row in rows}
            objects = [found[key] for key in ids if key in found]
            count = self._call(objects) if objects else 0
        else:
            count = rows.update(**self._change.to)
        if self._deferred:
            connections[self._using].check_constraints([self._change.model._meta.db_table])
        if count is None or self._count is None:
            self._count = None
        else:
            self._count += count

    def _call(self, objects: list[Any]) -> int | None:
        """Let the job's own code change rows; return how many are saved, None where it saves."""
        change = self._change
        try:
            if change.fill:
                change.fill(objects)
            elif change.each:
                for row in objects:
                    change.each(row)
        except Error:
            raise
        except Exception as error:
            raise RowError(f"{type(error).__name__}: {error}") from error
        if change.each:
            return None
        return self._rows.bulk_update(objects, change.fields)

    def changed(self, ids: list[Any], old: Values) -> tuple[list[Any], Values]:
        """Return those rows that the database has changed, and what it keeps of them now.

        Fewer than were locked: a trigger kept a row, or the engine has no locks and somebody paid.
        """
        new = self.read(ids)
        if self._count == len(ids):
            return ids, new
        if self._names:
            return [key for key in ids if key in new and new[key] != old[key]], new
        done = paging.among(self._rows, ids).filter(**self._change.to)
        changed = set(done.values_list("pk", flat=True))
        return [key for key in ids if key in changed], new

    def encoded(self, ids: list[Any], found: Values) -> list[list[Any]]:
        """Return what the rows hold, as JSON has it."""
        pairs = (zip(self._fields, found[key], strict=True) for key in ids)
        return [[values.encode(field, value) for field, value in row] for row in pairs]


def one_statement(
    picked: QuerySet[Any, Any],
    change: Change,
    run: Run,
    number: int,
    _failures: Failures | None = None,
) -> Changed:
    """Do it in one statement of PostgreSQL. A row that fails fails all of them."""
    row = postgresql.apply(picked, change, run, number)
    if row is None:
        return Changed(0, 0, None)
    *last, locked, changed, asked, _ = row
    return Changed(locked, changed, tuple(last), asked)
