"""Jobs that go through their rows once: where the next run goes on, and that it is alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import leases
from django_runbook.jobs.ledger.reading import rows
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.registry import Transition, field_of


def earlier(moved: Transition) -> Run | None:
    """Return the run that a next one goes on from; None where no row was tried, or all put back.

    However that run has ended: what is behind its cursor is changed. Raises ``RefusedError`` where
    it came to its end, is running, or is being put back.
    """
    runs = Run.objects.filter(job=moved.job, undoes=None, cursor__isnull=False)
    newest = runs.exclude(undone_by__status=Status.SUCCEEDED).order_by("-pk").first()
    if newest is None:
        return None
    if newest.status == Status.SUCCEEDED:
        raise RefusedError(
            f"Refused: run {newest.pk} has changed each row once, as {moved.job} must; nothing "
            f"was changed. To do it again, put it back first: inv jobs.undo {newest.pk}"
        )
    if newest.status == Status.RUNNING:
        raise RefusedError(
            f"Refused: run {newest.pk} of {moved.job} is running ({newest.who}), and its rows are "
            "changed once; nothing was changed. Wait for its end."
        )
    for run in _chain(newest):
        if run.undone_by.exists():
            raise RefusedError(
                f"Refused: run {run.pk} of {moved.job} is put back, and not all of what belongs to "
                f"it; nothing was changed. Put back the rest first: inv jobs.undo {newest.pk}"
            )
    return newest


def behind(moved: Transition, run: Run | None) -> Any:
    """Return the key behind which a next run goes on; None where it begins."""
    return None if run is None else _key_field(moved).to_python(run.cursor)


def again(moved: Transition, run: Run | None) -> list[Any]:
    """Return the rows that a run, or those that it went on from, could not change."""
    chain = list(_chain(run)) if run else []
    failed = dict.fromkeys(
        key
        for one in reversed(chain)
        for key in one.failed_rows.order_by("pk").values_list("key", flat=True)
    )
    if not failed:
        return []
    for one in chain:
        for ids in rows.batch_ids(one):
            for key in ids:
                failed.pop(key, None)
    field = _key_field(moved)
    return [field.to_python(key) for key in failed]


def _chain(run: Run) -> Iterator[Run]:
    """Yield a run, the one that it went on from, and so on."""
    step: Run | None = run
    while step is not None:
        yield step
        step = step.continues


def _key_field(moved: Transition) -> Any:
    field = field_of(moved.change.model, "pk")
    while field.remote_field:
        field = field.target_field
    return field


@contextmanager
def alone(moved: Transition, run: Run, before: Run | None) -> Iterator[None]:
    """Let no other run go through the rows meanwhile. Raises ``RefusedError`` where one has."""
    if not moved.once:
        yield
        return
    takes = not run.exclusive  # else the run around it has done so
    if takes:
        run.exclusive = True
        run.save(update_fields=["exclusive"])
        leases.take(run)
    try:
        if earlier(moved) != before:
            raise RefusedError(
                f"Refused: another run of {moved.job} has changed rows just now; nothing was "
                f"changed. To go on: inv jobs.run {moved.job}"
            )
        yield
    finally:
        if takes:
            leases.release(run)
