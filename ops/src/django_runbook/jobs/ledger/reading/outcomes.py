"""What the ends of a job's runs come to: what is done, what was not made good, how long it takes.

Each read finds its few rows by an index, however many runs the ledger holds.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from django.db.models import F, QuerySet

from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.reading.history import status, with_pulse
from django_runbook.jobs.ledger.reading.together import together
from django_runbook.jobs.models import Run, Status

#: Ends of a run after which somebody should look.
BAD = (Status.FAILED, Status.LOST, Status.REFUSED)
ENDS = (*BAD, Status.SUCCEEDED)
LOOK = 50  # of the newest runs, looked at for how the last ones came out
LENGTHS, LAST = 200, 20  # of the successful runs, looked at for how long the job takes; those used
FEWEST = 3  # lengths that say what is usual
#: A run is slow when it takes so many times as long as usual, and so long at the least.
TIMES, LEAST = 3, datetime.timedelta(minutes=1)


def ends(job: str) -> QuerySet[Run]:
    """Return the runs of a job that are not the undoing of another, without what is long."""
    return Run.objects.filter(job=job, undoes=None).defer(*queries.LONG)


def newest_of(jobs: Iterable[str], count: int | None = None) -> dict[str, list[Run]]:
    """Return the newest runs of each of some jobs, by one query for a hundred of them.

    ``with_pulse``, newest first; skipped starts are none.
    """
    names = list(jobs)
    found = together([_newest(job, count or LOOK) for job in names])
    return dict(zip(names, map(_newest_first, found), strict=True))


def newest_and_running(jobs: Iterable[str]) -> tuple[dict[str, list[Run]], list[Run]]:
    """Return ``newest_of`` some jobs, and the runs of all jobs that have not ended, oldest first.

    One query for both.
    """
    names = list(jobs)
    *found, going = together([*(_newest(job, LOOK) for job in names), _running()])
    newest = dict(zip(names, map(_newest_first, found), strict=True))
    return newest, sorted(going, key=lambda run: run.pk)


def behind(newest: Mapping[str, Sequence[Run]]) -> dict[str, list[Run]]:
    """Return of each job, of which these are the newest runs, what lies behind them and counts.

    Nothing where they say it all; else the last that ended badly or well, the last success that is
    whole, and the one that covers most since. One query for twenty-five of the jobs, and two more
    for each of which even the last successes are not whole.
    """
    cut = [job for job, runs in newest.items() if _is_cut(runs)]
    ended = together([_ended(job, end) for job in cut for end in ENDS])
    found: dict[str, list[Run]] = {job: [] for job in newest}
    for number, job in enumerate(cut):
        *bad, good = ended[number * len(ENDS) : (number + 1) * len(ENDS)]
        found[job] = [*(run for runs in bad for run in runs), *good]
        if _is_cut(good):
            found[job] += _covering(job)
    return found


def done_until(runs: Iterable[Run], now: datetime.datetime) -> datetime.datetime | None:
    """Return up to when a job, of which these are the runs, has done what there was to do.

    They are the newest and what lies ``behind`` them. A success does all slots up to its start,
    or up to what it covers: an ``--as-of`` of the past does none that came later. What lies after
    its start, or ``now`` (aware), is not believed: a clock was wrong.
    """
    found = (run for run in runs if run.status == Status.SUCCEEDED)
    return max((reaches(run, now) for run in found), default=None)


def reaches(run: Run, now: datetime.datetime) -> datetime.datetime:
    """Return up to when a run does all slots, where it succeeds; see ``done_until``."""
    return min(run.covers or run.started, run.started, now)


def unsettled(job: str) -> Run | None:
    """Return the newest run of a job that came out badly and was not made good since."""
    found, running = newest_and_running([job])
    return bad_end([*found[job], *behind(found)[job], *(run for run in running if run.job == job)])


def bad_end(runs: Iterable[Run]) -> Run | None:
    """Return the newest run, ``with_pulse``, that came out badly and was not made good since.

    The ``runs`` of a job are its newest, what lies ``behind`` them, and what has not ended yet.
    One whose heart has stopped came out badly, also before anybody has marked it.
    """
    found = {run.pk: run for run in runs}.values()
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
    return ends(run.job).filter(pk__lt=run.pk, status__in=ENDS).order_by("-pk").first()


def usual(job: str) -> datetime.timedelta | None:
    """Return the median length of the last successful runs; None where too few are known.

    A run that found nothing to do says nothing of how long the work takes.
    """
    return _median(_lasting(job))


def usual_of(runs: Mapping[str, Sequence[Run]]) -> dict[str, datetime.timedelta | None]:
    """Return what is ``usual`` of each of some jobs, of which these are the newest runs.

    One query for a hundred of those whose newest runs do not say it.
    """
    known = {job: _successes(newest) for job, newest in runs.items()}
    more = [job for job, newest in runs.items() if len(newest) >= LOOK and len(known[job]) < LAST]
    found = together([_lasting(job) for job in more])
    known |= dict(zip(more, map(_newest_first, found), strict=True))
    return {job: _median(known[job]) for job in runs}


def too_long(length: datetime.timedelta) -> datetime.timedelta:
    """Return after how long a run is slow, where it usually takes ``length``."""
    return max(TIMES * length, LEAST)


def _newest(job: str, count: int) -> QuerySet[Run]:
    runs = with_pulse(ends(job).exclude(status=Status.SKIPPED))
    return runs.order_by("-pk")[:count]


def _running() -> QuerySet[Run]:
    """Return them without an order, for which SQLite would read all by their keys."""
    runs = Run.objects.filter(status=Status.RUNNING, undoes=None).defer(*queries.LONG)
    return with_pulse(runs)


def _lasting(job: str) -> QuerySet[Run]:
    successes = ends(job).filter(status=Status.SUCCEEDED, finished__isnull=False)
    return successes.only("started", "finished", "due", "status").order_by("-pk")[:LENGTHS]


def _successes(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that succeeded, and found something to do."""
    return [run for run in runs if run.status == Status.SUCCEEDED and run.due != 0 and run.finished]


def _median(runs: Iterable[Run]) -> datetime.timedelta | None:
    known = ((run.started, run.finished) for run in _successes(runs))
    lengths = [(ended - began).total_seconds() for began, ended in known if ended]
    if len(lengths) < FEWEST:
        return None
    return datetime.timedelta(seconds=median(lengths[:LAST]))


def _newest_first(runs: Iterable[Any]) -> list[Run]:
    return sorted(runs, key=lambda run: -run.pk)


def _ended(job: str, end: Status) -> QuerySet[Run]:
    return with_pulse(ends(job).filter(status=end)).order_by("-pk")[:LOOK]


def _covering(job: str) -> list[Run]:
    """Return the last success of a job that is whole, and the one that covers most since."""
    successes = with_pulse(ends(job).filter(status=Status.SUCCEEDED))
    whole = successes.filter(covers=None).order_by("-pk").first()
    later = successes.filter(covers__lte=F("started"), pk__gt=whole.pk if whole else 0)
    return [run for run in (whole, later.order_by("-covers").first()) if run]


def _is_cut(runs: Sequence[Run]) -> bool:
    """Tell whether older runs may say more: these are as many as are looked at, and none is whole.

    What was before a success that covers all is made good, or had ended later and stands here.
    """
    whole = any(run.status == Status.SUCCEEDED and run.covers is None for run in runs)
    return len(runs) >= LOOK and not whole
