"""Opens and closes runs: who claims a slot, what is continued, what was lost."""

import datetime
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, IntegrityError, transaction
from django.db.models import QuerySet

from django_runbook.config import Job
from django_runbook.jobs.database.clock import Now, database_now
from django_runbook.jobs.errors import RefusedError, SkippedError, StoppedError
from django_runbook.jobs.ledger import heart, leases, slots
from django_runbook.jobs.ledger.pauses import require_unpaused
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Run, Status
from django_runbook.schema.secrets import masked
from django_runbook.text.cleaning import storable
from django_runbook.text.masking import mask_words

#: A heart beats every ten seconds at the latest, and every three of a wrapped command.
LOST_AFTER = datetime.timedelta(minutes=2)
LOOK_SECONDS = 0.5  # between two looks at a lease that another run has
#: Nothing is continued of runs that are like this.
NEVER_BEGAN = (Status.REFUSED, Status.SKIPPED, Status.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What was asked of a run beside the time; the edge reads it."""

    who: Who = field(default_factory=Who)
    slot: datetime.datetime | None = None
    #: Whether the slot is the newest, for which a scheduler starts the job.
    latest: bool = False
    #: Whether the run only helps with the slot, which another claims.
    helps: bool = False
    #: Why a slot that is done, or paused, is taken over.
    again: str = ""
    #: Up to when the run will have done what there was to do; None for its start.
    covers: datetime.datetime | None = None
    #: What the command is given; secrets are masked where it is written down.
    arguments: tuple[str, ...] = ()
    allow: int | None = None
    reason: str = ""
    #: The run of the command around this one, as ``ledger.around`` reads it: that command opens,
    #: closes and reports it.
    inside: str | None = None
    #: Called with a line while the job's other run is waited for; returns what asks for the end.
    waits: Callable[[str], str] | None = None
    #: The token of the run, where whoever asked for it has chosen one: it is done once.
    token: uuid.UUID | None = None


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
    runs = Run.objects.using(using).filter(job=job, undoes=None)
    runs = runs.exclude(status=Status.STOPPED, due=None)  # it had not begun
    newest = runs.exclude(status__in=NEVER_BEGAN).order_by("-pk").first()
    if newest is None or newest.status not in (Status.STOPPED, Status.LOST):
        return None
    return newest if slot is None or slot == newest.slot else None


def open_run(job: Job, order: Order, **values: Any) -> Run:
    """Open a run, with its slot claimed and its lease taken where it has them.

    ``values`` are fields of the run. With nothing written, raises ``SlotTakenError`` and
    ``SlotPausedError``, ``PausedError``, and ``RefusedError`` for a slot of the future, and for an
    order that was carried out before: a queue may deliver it twice. Written down are
    ``RefusedError``, while the job is being undone; and, where its runs do not overlap and one is
    under way, ``SkippedError``, and ``StoppedError`` of one that waits.
    """
    mark_lost(job.name)
    _require_new(order)
    if not values.get("undoes"):
        now = database_now()
        if order.slot:
            slots.require_come(job.name, order.slot, now)
        require_unpaused(job.name, now)
    run = _claimed(job, order, values)
    try:
        _require_no_undo(run)
        if run.exclusive:
            _begin_alone(job, run, order)
    except SkippedError as skipped:
        close(run, Status.SKIPPED, str(skipped))
        raise
    except StoppedError as stopped:
        close(run, Status.STOPPED, str(stopped))
        raise
    except RefusedError as refusal:
        close(run, Status.REFUSED, str(refusal))
        refusal.refused = run
        raise
    except BaseException:  # broken off, as by an end that was asked for
        with suppress(Error):
            close(run, Status.STOPPED, "it had not begun")
        raise
    return run


def _claimed(job: Job, order: Order, values: dict[str, Any]) -> Run:
    """Write the run down, with its slot and its token claimed."""
    try:
        with transaction.atomic():
            run = Run.objects.create(**_asked(job, order, values))
            if order.slot and order.helps:
                slots.require_open(job.name, order.slot)
            elif order.slot:
                slots.claim(run, order.slot, again=bool(order.again))
    except IntegrityError:
        _require_new(order)  # of two deliveries at once, the other was first
        raise
    return run


def _asked(job: Job, order: Order, values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a run that is asked for."""
    asked: dict[str, Any] = {
        "job": job.name,
        "slot": order.slot,
        "covers": order.covers,
        "arguments": [storable(word) for word in mask_words(order.arguments, masked)],
        "exclusive": job.alone,
        "user": order.who.user,
        "host": order.who.host,
        "pid": order.who.pid,
        "ci_url": order.who.ci_url,
        "allow": order.allow,
        "allow_reason": order.reason,
        **values,
    }
    if order.token:
        asked["token"] = order.token
    said = {}
    if order.again:
        said["again"] = storable(masked(order.again))
    if order.who.through:
        said["asked"] = f"for by {storable(order.who.user)} {order.who.through}"
    if said:
        asked["parameters"] = {**said, **values.get("parameters", {})}
    return asked


def _require_new(order: Order) -> None:
    """Raise ``RefusedError`` where a run has the token of the order."""
    before = Run.objects.filter(token=order.token).first() if order.token else None
    if before:
        raise RefusedError(
            f"Refused: this was done already, as run {before.pk} of {before.job} "
            f"({before.get_status_display()}); nothing was changed."
        )


def _begin_alone(job: Job, run: Run, order: Order) -> None:
    """Take the lease, or do what ``overlap`` says while another run of the job is under way."""
    skips = job.overlap == "skip" and not run.undoes_id
    if skips and order.latest and order.slot and (other := slots.under_way(run, order.slot)):
        raise _skipped(run, f"run {other.pk} ({other.who}) was under way then")
    while True:
        try:
            leases.take(run)
        except leases.HeldError as held:
            if run.undoes_id:
                raise
            if skips:
                raise _skipped(run, f"{held.by} is under way") from None
            _wait(run, held, order)
        else:
            return


def _skipped(run: Run, why: str) -> SkippedError:
    what = f"{run.job} {run.slot:%Y-%m-%dT%H:%MZ}" if run.slot else run.job
    said = f'{what}: {why}, and overlap is "skip"; nothing was changed.'
    return SkippedError(said, run.pk)


def _wait(run: Run, held: leases.HeldError, order: Order) -> None:
    """Wait a moment for the end of the run that has the lease, with the heart beating.

    Raises ``StoppedError`` where the end is asked for, here or in the ledger.
    """
    asked = order.waits(f"{run.job}: waits for the end of {held.by}.") if order.waits else ""
    runs = Run.objects.filter(pk=run.pk)
    if not runs.filter(status=Status.RUNNING).update(heartbeat=Now()):
        asked = asked or "being taken for lost"
    asked = asked or heart.asked_to_stop(run)
    if asked:
        raise StoppedError(f"{asked}, while {run.job} waited for the end of {held.by}")
    time.sleep(LOOK_SECONDS)


def _require_no_undo(run: Run) -> None:
    """Raise ``RefusedError`` while the job is being undone: it would change the rows again."""
    others = Run.objects.filter(job=run.job, status=Status.RUNNING).exclude(pk=run.pk)
    undo = others.exclude(undoes=None).first()
    if undo and not run.undoes_id:
        raise RefusedError(
            f"Refused: run {undo.pk} ({undo.who}) is undoing run {undo.undoes_id} of {run.job}; "
            "nothing was changed. Wait for its end."
        )


def close(run: Run, status: Status, reason: str = "", output: str = "") -> bool:
    """End a run that is still running; tell whether it has ended so. Its lease is given back.

    May be done twice. It has not where it was taken for lost.
    """
    runs = Run.objects.using(run._state.db).filter(pk=run.pk, token=run.token)
    values: dict[str, Any] = {"status": status, "finished": Now(), "reason": reason}
    closed = runs.filter(status=Status.RUNNING).update(
        **values, **({"output": output} if output else {})
    )
    leases.release(run)
    run.status, run.reason = status, reason
    return bool(closed) or runs.filter(status=status).exists()
