"""The last slots of each job, and what became of each."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from django.db.models import TextChoices

from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.ledger.reading.history import status
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.watch.snapshot import Seen


class SlotEnd(TextChoices):
    """What became of a slot that has come."""

    DONE = "done", "done"
    LATE = "late", "done late"
    MISSED = "missed", "missed"
    FAILED = "failed", "failed"
    SKIPPED = "skipped", "skipped"
    PAUSED = "paused", "paused"
    RUNNING = "running", "running"
    WAITING = "waiting", "waiting"


@dataclass(frozen=True, kw_only=True)
class SlotState:
    """A slot, what became of it, and the run that says so; None where there is none."""

    at: datetime.datetime
    end: SlotEnd
    run: int | None


def strip(seen: Seen) -> tuple[SlotState, ...]:
    """Return the last slots of a job, which has been read with them, the oldest first.

    Thirty at the most, and none of a job without a schedule. One before the ledger is shown where a
    run of the ledger claimed it all the same.
    """
    pairs = zip_longest(seen.shown, seen.shown[1:])
    found = (_state(seen, at, following) for at, following in pairs)
    return tuple(
        one
        for one in found
        if one.at > seen.since
        or (seen.claim(one.at) and one.end not in (SlotEnd.MISSED, SlotEnd.WAITING))
    )


def _state(seen: Seen, at: datetime.datetime, following: datetime.datetime | None) -> SlotState:
    """Return what became of a slot, whose job has its next one at ``following``."""
    claim = seen.claim(at)
    run = claim.run if claim else None
    if claim and claim.settled:
        skipped = claim.status == Status.SKIPPED
        end = SlotEnd.SKIPPED if skipped else _done(seen, at, claim.ended)
    elif any(each.holds(at) for each in seen.pauses):
        end = SlotEnd.PAUSED
    elif seen.until is not None and at <= seen.until:
        good = _first_success(seen, at)
        run, end = good.pk if good else None, _done(seen, at, good.finished if good else None)
    else:
        return _open(seen, at, following)
    return SlotState(at=at, end=end, run=run)


def _open(seen: Seen, at: datetime.datetime, following: datetime.datetime | None) -> SlotState:
    """Return what holds up a slot that nobody has done."""
    claim, doing = seen.claim(at), seen.doing(at)
    run = claim.run if claim else None
    if doing:
        return SlotState(at=at, end=SlotEnd.RUNNING, run=doing)
    bad = run if claim and claim.status in outcomes.BAD else _unclaimed(seen.runs, at, following)
    if bad:
        return SlotState(at=at, end=SlotEnd.FAILED, run=bad)
    end = SlotEnd.MISSED if at < seen.over else SlotEnd.WAITING
    return SlotState(at=at, end=end, run=run)


def _done(seen: Seen, at: datetime.datetime, ended: datetime.datetime | None) -> SlotEnd:
    """Say whether a slot was done within its grace; nobody holds up what is no longer known."""
    grace = datetime.timedelta(hours=seen.job.grace_hours)
    return SlotEnd.LATE if ended and ended > at + grace else SlotEnd.DONE


def _first_success(seen: Seen, at: datetime.datetime) -> Run | None:
    """Return the success that was the first to do a slot; None where it may lie further back."""
    if len(seen.runs) >= outcomes.LOOK and seen.runs[-1].started > at:
        return None
    good = (run for run in seen.runs if run.status == Status.SUCCEEDED)
    reach = [run for run in good if outcomes.reaches(run, seen.now) >= at]
    return min(reach, key=lambda run: run.finished or run.started, default=None)


def _unclaimed(
    runs: Sequence[Run], at: datetime.datetime, following: datetime.datetime | None
) -> int | None:
    """Return the newest run without a slot of its own that came out badly in the slot's time."""
    for run in runs:
        began = run.started >= at and (following is None or run.started < following)
        if began and run.slot is None and status(run) in outcomes.BAD:
            return run.pk
    return None
