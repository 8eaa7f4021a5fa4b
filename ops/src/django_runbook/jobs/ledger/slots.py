"""The slots of the ledger: who may claim one, who has done it, and what of that is believed."""

import datetime

from django_runbook.jobs.database.clock import MOST_SKEW
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger.pauses import PauseState, paused_text, pauses
from django_runbook.jobs.models import Run, Slot, Status

#: How a run came to a slot that nobody does again.
SETTLED = {Status.SUCCEEDED: "already done", Status.SKIPPED: "skipped"}


class SlotTakenError(RefusedError):
    """The slot is done, or being done, by the run ``holder``; None where it is not kept."""

    def __init__(self, slot: Slot) -> None:
        self.slot, self.holder = slot, slot.run
        by = "already done by a run that is no longer kept"
        if holder := slot.run:
            how = SETTLED.get(Status(holder.status), "being done")
            by = f"{how} by run {holder.pk} ({holder.who}, {holder.changed} changed)"
        super().__init__(f"{slot.job} {slot.at:%Y-%m-%dT%H:%MZ}: {by}.")

    @property
    def being_done(self) -> bool:
        """Whether the other run is under way."""
        return self.holder is not None and self.holder.status == Status.RUNNING


class SlotPausedError(RefusedError):
    """The slot lies in a pause of its job, and so nobody does it."""

    def __init__(self, at: datetime.datetime, pause: PauseState) -> None:
        self.pause = pause
        super().__init__(f"{pause.job} {at:%Y-%m-%dT%H:%MZ}: not done, {paused_text(pause)}.")


def require_come(job: str, at: datetime.datetime, now: datetime.datetime) -> None:
    """Raise ``RefusedError`` for a slot that is to come; ``now`` is by the database's clock."""
    if at > now + MOST_SKEW:
        raise RefusedError(
            f"Refused: {job} {at:%Y-%m-%dT%H:%MZ} is a slot of the future: by the database's clock "
            f"it is {now:%Y-%m-%dT%H:%MZ}; nothing was changed. Compare the clocks first."
        )


def claim(run: Run, at: datetime.datetime, *, again: bool = False) -> None:
    """Claim a slot (aware) for a run, or take it over from a run that did not do it.

    ``again`` takes over one that is done, or paused. The unique constraint decides between two that
    come at once. Raises ``SlotTakenError`` and ``SlotPausedError``.
    """
    if not again:
        _require_no_pause(run.job, at)
    slot, made = Slot.objects.get_or_create(job=run.job, at=at, defaults={"run": run})
    if made:
        return
    free = _free(slot) or (again and not _is_being_done(slot))
    if free and Slot.objects.filter(pk=slot.pk, run=slot.run).update(run=run):
        return
    raise SlotTakenError(Slot.objects.select_related("run").get(pk=slot.pk))


def require_open(job: str, at: datetime.datetime) -> None:
    """Raise ``SlotPausedError``, or ``SlotTakenError`` where a slot is done: no help is wanted."""
    _require_no_pause(job, at)
    slot = Slot.objects.select_related("run").filter(job=job, at=at).first()
    if slot and not _free(slot) and not _is_being_done(slot):
        raise SlotTakenError(slot)


def under_way(run: Run, at: datetime.datetime) -> Run | None:
    """Return the run of the same job, but this one, that had begun at a time and not ended."""
    others = Run.objects.filter(job=run.job, started__lt=at).exclude(pk=run.pk)
    last = others.exclude(status__in=(Status.REFUSED, Status.SKIPPED)).order_by("-pk").first()
    return last if last and (last.finished is None or last.finished >= at) else None


def _require_no_pause(job: str, at: datetime.datetime) -> None:
    for pause in pauses(job):
        if pause.holds(at):
            raise SlotPausedError(at, pause)


def _is_being_done(slot: Slot) -> bool:
    return slot.run is not None and slot.run.status == Status.RUNNING


def _free(slot: Slot) -> bool:
    """Tell whether nobody does the slot, or has done it.

    A run that began before the slot had come had a clock that was wrong, and is not believed.
    """
    holder = slot.run
    if holder is None or _is_being_done(slot):
        return False
    return holder.status not in SETTLED or holder.started + MOST_SKEW < slot.at
