"""What is read of the ledger for all jobs together: no more queries for thirty than for three."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from django_runbook.config import Job
from django_runbook.jobs.ledger.pauses import PauseState, pauses, slots_outside
from django_runbook.jobs.ledger.reading import outcomes, queries
from django_runbook.jobs.ledger.reading.claims import Claim, Wanted, came, claims
from django_runbook.jobs.ledger.reading.history import status
from django_runbook.jobs.models import Run, Status
from django_runbook.schedule import slots

#: Slots of a job that a strip shows.
SHOWN = 30
INSTANT = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the ledger says of one job at ``now``; runs are kept ``since``.

    ``runs`` are its newest, ``going`` those under way, the oldest first, ``bad`` the one that came
    out badly and that nothing has made good. ``until`` is up to when all slots are done, ``shown``
    are those of its strip, the oldest first. ``usual`` is how long it takes, where that was asked.
    """

    job: Job
    now: datetime.datetime
    since: datetime.datetime
    pauses: Sequence[PauseState]
    runs: Sequence[Run]
    going: Sequence[Run]
    bad: Run | None
    until: datetime.datetime | None
    shown: Sequence[datetime.datetime]
    claims: Mapping[datetime.datetime, Claim] = field(default_factory=dict)
    usual: datetime.timedelta | None = None

    @property
    def last(self) -> Run | None:
        """The newest run."""
        return self.runs[0] if self.runs else None

    @property
    def paused(self) -> PauseState | None:
        """The pause that it is in."""
        return next((each for each in self.pauses if each.lasts(self.now)), None)

    @property
    def start(self) -> datetime.datetime:
        """Up to when no slot is open: all are done, or lie before the ledger."""
        return max(self.since, self.until or self.since)

    @property
    def over(self) -> datetime.datetime:
        """The time before which the grace of each slot is over."""
        return self.now - datetime.timedelta(hours=self.job.grace_hours)

    def claim(self, at: datetime.datetime) -> Claim | None:
        """Return who claimed a slot; one whose clock was wrong is not believed."""
        found = self.claims.get(at)
        return found if found and found.believed else None

    def doing(self, at: datetime.datetime) -> int | None:
        """Return the run under way that will have done a slot at its end."""
        for run in self.going:
            for_it = run.slot == at and came(at, run.started)
            if for_it or outcomes.reaches(run, self.now) >= at:
                return run.pk
        return None


def snapshot(
    jobs: Iterable[Job], now: datetime.datetime, *, strips: bool = False, usual: bool = False
) -> list[Seen]:
    """Read what the ledger says of some jobs at ``now`` (aware).

    With ``strips`` of their last slots as well, and with ``usual`` of what they take although
    nothing is under way.

    Five queries for fifty jobs. One more for those whose newest runs do not say what was done,
    and one for those whose newest runs do not say what is usual.
    """
    jobs = list(jobs)
    since = queries.kept_since() or now
    known = pauses(since=since)
    newest, running = outcomes.newest_and_running(job.name for job in jobs)
    behind = outcomes.behind(newest)
    found = []
    for job in jobs:
        runs, unended = newest[job.name], [run for run in running if run.job == job.name]
        ended = [*runs, *behind[job.name]]
        one = Seen(
            job=job,
            now=now,
            since=since,
            pauses=[each for each in known if each.job == job.name],
            runs=runs,
            going=[run for run in unended if status(run) == Status.RUNNING],
            bad=None,
            until=outcomes.done_until(ended, now) if job.cron else now,
            shown=_last_slots(job, now) if strips else (),
        )
        bad = None if one.paused else outcomes.bad_end([*ended, *unended])
        found.append(replace(one, bad=bad))
    lengths = outcomes.usual_of({one.job.name: one.runs for one in found if one.going or usual})
    return _completed(found, lengths)


def _completed(found: Sequence[Seen], usual: Mapping[str, datetime.timedelta | None]) -> list[Seen]:
    """Add what is known of the slots that the runs leave open, and what undid the runs."""
    known = claims([_wanted(one) for one in found])
    told = [run for one in found for run in (one.last, one.bad, *one.going[:1]) if run]
    queries.with_undos(told)
    return [
        replace(one, claims=known[one.job.name], usual=usual.get(one.job.name)) for one in found
    ]


def _wanted(one: Seen) -> Wanted:
    """Return the slots to ask for: of a strip, and what is done behind the first open one."""
    open_slots = slots_outside(one.job, one.start, one.now, one.pauses)
    late = not one.paused and next(open_slots, None) is not None
    return Wanted(
        job=one.job.name,
        now=one.now,
        at=one.shown,
        done_since=one.start if late else None,
    )


def _last_slots(job: Job, now: datetime.datetime) -> tuple[datetime.datetime, ...]:
    """Return the last slots of a job up to ``now``, the oldest first."""
    slot = slots.latest(job, now)
    return _up_to(job, slot) if slot else ()


@lru_cache(maxsize=500)
def _up_to(job: Job, slot: datetime.datetime) -> tuple[datetime.datetime, ...]:
    """Return a slot and those before it; kept, for pages ask for the same ones again."""
    found = [slot]
    while len(found) < SHOWN and (before := slots.latest(job, found[-1] - INSTANT)):
        found.append(before)
    return tuple(reversed(found))
