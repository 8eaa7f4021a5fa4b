"""What the ends of a job's runs come to: what is done, what was not made good, how long it takes.

Each read finds its few rows by an index, however many runs the ledger holds.
"""

import datetime
from collections.abc import Sequence
from statistics import median

from django.db.models import F, Q, QuerySet

from django_runbook.jobs.database.clock import MOST_SKEW
from django_runbook.jobs.ledger.reading.history import status, with_pulse
from django_runbook.jobs.ledger.slots import SETTLED
from django_runbook.jobs.models import Run, Slot, Status

#: Ends of a run after which somebody should look.
BAD = (Status.FAILED, Status.LOST, Status.REFUSED)
LOOK = 50  # of the newest runs, looked at for how the last ones came out
LENGTHS, LAST = 200, 20  # of the successful runs, looked at for how long the job takes; those used
FEWEST = 3  # lengths that say what is usual
#: A run is slow when it takes so many times as long as usual, and so long at the least.
TIMES, LEAST = 3, datetime.timedelta(minutes=1)


def ends(job: str) -> QuerySet[Run]:
    """Return the runs of a job that are not the undoing of another, without their outputs."""
    return Run.objects.filter(job=job, undoes=None).defer("output")


def newest(job: str, count: int | None = None) -> list[Run]:
    """Return the newest runs of a job, ``with_pulse``, newest first; skipped starts are none."""
    runs = with_pulse(ends(job).exclude(status=Status.SKIPPED))
    return list(runs.order_by("-pk")[: count or LOOK])


def running() -> list[Run]:
    """Return the runs of all jobs that have not ended, ``with_pulse``, the oldest first."""
    runs = Run.objects.filter(status=Status.RUNNING, undoes=None).defer("output")
    return sorted(with_pulse(runs), key=lambda run: run.pk)  # SQLite would read all by their keys


def done_until(job: str, runs: Sequence[Run], now: datetime.datetime) -> datetime.datetime | None:
    """Return up to when a job, of which these are ``newest``, has done what there was to do.

    A success does all slots up to its start, or up to what it covers: an ``--as-of`` of the past
    does none that came later. What lies after its start, or ``now`` (aware), is not believed: a
    clock was wrong.
    """
    found = [run for run in runs if run.status == Status.SUCCEEDED]
    if _is_cut(runs):
        successes = ends(job).filter(status=Status.SUCCEEDED)
        whole = successes.filter(covers=None).order_by("-pk").first()
        later = successes.filter(covers__lte=F("started"), pk__gt=whole.pk if whole else 0)
        found += [run for run in (whole, later.order_by("-covers").first()) if run]
    until = (min(run.covers or run.started, run.started, now) for run in found)
    return max(until, default=None)


def done_slots(
    job: str, since: datetime.datetime, now: datetime.datetime
) -> frozenset[datetime.datetime]:
    """Return the slots later than ``since`` that are done, or were skipped for another run.

    A slot of the future is not believed, nor one that had not come when its run began.
    """
    slots = Slot.objects.filter(Q(run__status__in=SETTLED) | Q(run=None), job=job)
    slots = slots.filter(at__gt=since, at__lte=now)
    return frozenset(
        at for at, began in slots.values_list("at", "run__started") if _came(at, began)
    )


def unsettled(job: str, runs: Sequence[Run] | None = None) -> Run | None:
    """Return the newest run, ``with_pulse``, that came out badly and was not made good since.

    ``runs`` are ``newest``, and what has not ended yet. One whose heart has stopped came out badly,
    also before anybody has marked it.
    """
    if runs is None:
        runs = [*newest(job), *(run for run in running() if run.job == job)]
    found = list({run.pk: run for run in runs}.values())
    if _is_cut(runs):
        ended = (with_pulse(ends(job).filter(status=end)) for end in (*BAD, Status.SUCCEEDED))
        found += [run for each in ended for run in each.order_by("-pk")[:LOOK]]
    successes = [run for run in found if run.status == Status.SUCCEEDED]
    bad = sorted((run for run in found if status(run) in BAD), key=lambda run: -run.pk)
    return next((run for run in bad if not any(settles(good, run) for good in successes)), None)


def settles(good: Run, bad: Run) -> bool:
    """Tell whether a success makes good what a run that came out badly did not do.

    It ended later, and covers what that one was for: an ``--as-of`` of the past does not.
    """
    if (good.finished or good.started) < (bad.finished or bad.heartbeat):
        return False
    if good.covers is None or (bad.slot and good.slot == bad.slot):
        return True
    wanted = bad.covers or (min(bad.slot, bad.started) if bad.slot else bad.started)
    return good.covers >= wanted


def before(run: Run) -> Run | None:
    """Return the newest earlier run of the same job that succeeded or came out badly."""
    ended = (*BAD, Status.SUCCEEDED)
    return ends(run.job).filter(pk__lt=run.pk, status__in=ended).order_by("-pk").first()


def usual(job: str) -> datetime.timedelta | None:
    """Return the median length of the last successful runs; None where too few are known.

    A run that found nothing to do says nothing of how long the work takes.
    """
    successes = ends(job).filter(status=Status.SUCCEEDED, finished__isnull=False)
    seen = successes.order_by("-pk").values_list("started", "finished", "due")[:LENGTHS]
    lengths = [(ended - began).total_seconds() for began, ended, due in seen if ended and due != 0]
    if len(lengths) < FEWEST:
        return None
    return datetime.timedelta(seconds=median(lengths[:LAST]))


def too_long(length: datetime.timedelta) -> datetime.timedelta:
    """Return after how long a run is slow, where it usually takes ``length``."""
    return max(TIMES * length, LEAST)


def _came(slot: datetime.datetime, began: datetime.datetime | None) -> bool:
    """Tell whether a slot had come when its run began; the run may not be kept any more."""
    return began is None or slot <= began + MOST_SKEW


def _is_cut(runs: Sequence[Run]) -> bool:
    """Tell whether older runs may say more: these are as many as are looked at, and none is whole.

    What was before a success that covers all is made good, or had ended later and stands here.
    """
    whole = any(run.status == Status.SUCCEEDED and run.covers is None for run in runs)
    return len(runs) >= LOOK and not whole
