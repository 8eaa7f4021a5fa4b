"""Opens and closes runs: who claims a slot, what is continued, what was lost."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from django_runbook.config import Job
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import leases
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Run, Slot, Status

#: A heart beats with every batch and every ten seconds of a wrapped command.
LOST_AFTER = datetime.timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was asked of a run beside the time; the edge reads it."""

    who: Who = field(default_factory=Who)
    slot: datetime.datetime | None = None
    allow: int | None = None
    reason: str = ""
    #: The run of the command around this one, which opens, closes and reports it.
    inside: int | None = None


class SlotTakenError(RefusedError):
    """The slot is done, or being done, by the run ``holder``; None where it is not kept."""

    def __init__(self, slot: Slot) -> None:
        self.slot, self.holder = slot, slot.run
        by = "already done by a run that is no longer kept"
        if holder := slot.run:
            how = "already done" if holder.status == Status.SUCCEEDED else "being done"
            by = f"{how} by run {holder.pk} ({holder.who}, {holder.changed} changed)"
        super().__init__(f"{slot.job} {slot.at:%Y-%m-%dT%H:%MZ}: {by}.")


def stale(using: str | None = None) -> QuerySet[Run]:
    """Return the runs whose heart has stopped; nobody has said so yet."""
    running = Run.objects.using(using).filter(status=Status.RUNNING)
    return running.filter(heartbeat__lt=Now() - LOST_AFTER)


def mark_lost(job: str, using: str | None = None) -> int:
    """Take the runs of a job whose heart has stopped for lost; they can change nothing more."""
    return (
        stale(using)
        .filter(job=job)
        .update(status=Status.LOST, finished=Now(), reason="its heartbeat stopped")
    )


def unfinished(job: str, slot: datetime.datetime | None, using: str | None = None) -> Run | None:
    """Return the run that the next one continues: the job's newest, if it was cut short.

    A run for a later slot starts anew: its own cutoff covers what the earlier one left.
    """
    runs = Run.objects.using(using).filter(job=job, undoes=None).exclude(status=Status.REFUSED)
    newest = runs.exclude(status=Status.RUNNING).order_by("-pk").first()
    if newest is None or newest.status not in (Status.STOPPED, Status.LOST):
        return None
    return newest if slot is None or slot == newest.slot else None


def open_run(job: Job, order: Order, **values: Any) -> Run:
    """Open a run, with its slot claimed and its lease taken where it has them.

    ``values`` are fields of the run. Raises ``SlotTakenError``, with nothing written; and
    ``RefusedError`` where an exclusive job is being run, which is written down.
    """
    mark_lost(job.name)
    with transaction.atomic():
        run = Run.objects.create(
            job=job.name,
            slot=order.slot,
            exclusive=job.exclusive,
            user=order.who.user,
            host=order.who.host,
            pid=order.who.pid,
            ci_url=order.who.ci_url,
            allow=order.allow,
            allow_reason=order.reason,
            **values,
        )
        if order.slot:
            claim(run, order.slot)
    try:
        _require_no_undo(run)
        if run.exclusive:
            leases.take(run)
    except RefusedError as refusal:
        close(run, Status.REFUSED, str(refusal))
        raise
    return run


def _require_no_undo(run: Run) -> None:
    """Raise ``RefusedError`` while the job is being undone: it would change the rows again."""
    others = Run.objects.filter(job=run.job, status=Status.RUNNING).exclude(pk=run.pk)
    undo = others.exclude(undoes=None).first()
    if undo and not run.undoes_id:
        raise RefusedError(
            f"Refused: run {undo.pk} ({undo.who}) is undoing run {undo.undoes_id} of {run.job}; "
            "nothing was changed. Wait for its end."
        )


def claim(run: Run, at: datetime.datetime) -> None:
    """Claim a slot (aware) for a run, or take it over from a run that did not do it.

    The unique constraint decides between two that come at once. Raises ``SlotTakenError``.
    """
    slot, made = Slot.objects.get_or_create(job=run.job, at=at, defaults={"run": run})
    if made:
        return
    holder = slot.run
    free = holder and holder.status not in (Status.SUCCEEDED, Status.RUNNING)
    if free and Slot.objects.filter(pk=slot.pk, run=holder).update(run=run):
        return
    raise SlotTakenError(Slot.objects.select_related("run").get(pk=slot.pk))


def close(run: Run, status: Status, reason: str = "", output: str = "") -> bool:
    """End a run that is still running; tell whether it has ended so. Its lease is given back.

    May be done twice. It has not where it was taken for lost.
    """
    runs = Run.objects.using(run._state.db).filter(pk=run.pk)
    values: dict[str, Any] = {"status": status, "finished": Now(), "reason": reason}
    closed = runs.filter(status=Status.RUNNING).update(
        **values, **({"output": output} if output else {})
    )
    leases.release(run)
    run.status, run.reason = status, reason
    return bool(closed) or runs.filter(status=status).exists()
