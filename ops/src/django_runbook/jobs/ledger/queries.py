"""Reads of the ledger."""

import datetime
import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min, QuerySet

from django_runbook.jobs.errors import UnknownRunError
from django_runbook.jobs.models import Batch, Run, Status

#: Rows of a run that are looked at together: so many fit into memory whatever the run's size.
AT_ONCE = 100_000
#: Columns of a batch that grow with its rows.
HEAVY = ("numbers", "keys", "old", "new")


def get_run(pk: int) -> Run:
    """Return a run. Raises ``UnknownRunError`` where there is none."""
    run = Run.objects.filter(pk=pk).first()
    if run is None:
        raise UnknownRunError(f"There is no run {pk}. See 'inv jobs.history'.")
    return run


def last_due(job: str, count: int) -> list[int]:
    """Return how many rows the last ``count`` successful runs found due, newest first.

    Runs that were undone are left out. Found, not changed: several runs at once each change a part
    of what all of them find.
    """
    runs = Run.objects.filter(job=job, status=Status.SUCCEEDED, undoes=None, due__isnull=False)
    runs = runs.exclude(undone_by__status=Status.SUCCEEDED)
    return [run.due or 0 for run in runs.order_by("-pk").only("due")[:count]]


def history(job: str | None = None) -> QuerySet[Run]:
    """Return the runs, newest first, with the runs that undid them."""
    runs = Run.objects.all() if job is None else Run.objects.filter(job=job)
    return runs.prefetch_related("undone_by").order_by("-pk")


def job_names() -> list[str]:
    """Return the jobs that the ledger knows, by name."""
    return list(Run.objects.order_by("job").values_list("job", flat=True).distinct())


def last_success(job: str) -> Run | None:
    """Return the newest run of a job that succeeded and is not the undoing of another."""
    done = Run.objects.filter(job=job, undoes=None, status=Status.SUCCEEDED)
    return done.order_by("-pk").first()


def kept_since() -> datetime.datetime | None:
    """Return when the ledger got its tables (aware): no earlier slot can be missed."""
    applied = MigrationRecorder(connection).migration_qs.filter(app=Run._meta.app_label)
    since: datetime.datetime | None = applied.aggregate(since=Min("applied"))["since"]
    return since


def batch_ids(run: Run) -> Iterator[list[Any]]:
    """Yield the rows of each batch of a run in their order, one batch in memory."""
    for batch in run.batch_set.defer(*HEAVY).order_by("number"):
        yield _ids(batch)


def batches(run: Run) -> Iterator[list[Batch]]:
    """Yield the batches of a run in their order: as many at a time as make ``AT_ONCE`` rows."""
    group: list[Batch] = []
    rows = 0
    for batch in run.batch_set.defer(*HEAVY).order_by("number"):
        group.append(batch)
        rows += batch.changed
        if rows >= AT_ONCE:
            yield group
            group, rows = [], 0
    if group:
        yield group


def changed_later(group: Sequence[Batch], *, but: Run) -> dict[Any, Batch]:
    """Return the rows of these batches that later ones changed, each with the newest that did.

    Batches of one row are numbered in the order of their commits, for the row is locked: also where
    two runs went on at once. ``but`` is a run to leave out.
    """
    first: dict[Any, int] = {}
    for batch in group:
        for key in batch.ids:
            first.setdefault(key, batch.pk)
    model = group[0].run.model
    later = Batch.objects.filter(run__model=model, pk__gt=group[0].pk).exclude(run=but)
    rows: dict[Any, Batch] = {}
    for batch in later.select_related("run").defer(*HEAVY).order_by("pk"):
        again = [key for key in _ids(batch) if first.get(key, batch.pk) < batch.pk]
        rows.update(dict.fromkeys(again, batch))
    return rows


def batches_that_changed(model: str, pk: Any) -> list[Batch]:
    """Return the batches that changed a row of ``model`` (its label), newest first."""
    key = json.loads(DjangoJSONEncoder().encode(pk))
    columns = Batch.objects.filter(run__model=model).values_list("pk", "numbers", "keys")
    found = [
        number
        for number, numbers, keys in columns.iterator(chunk_size=100)
        if key in (numbers or keys or ())
    ]
    batches = Batch.objects.filter(pk__in=found).select_related("run").defer(*HEAVY)
    return list(batches.order_by("-pk"))


def _ids(batch: Batch) -> Any:
    """Return the rows of a batch, and do not keep them with it."""
    return Batch.objects.only("numbers", "keys").get(pk=batch.pk).ids
