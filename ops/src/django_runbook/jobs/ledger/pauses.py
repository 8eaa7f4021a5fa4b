"""Pauses of a job: times in which it does not run, and its slots are neither claimed nor missed."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from django_runbook.config import Job
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Pause, Run, Status
from django_runbook.schedule import slots
from django_runbook.schema.secrets import masked
from django_runbook.text.cleaning import one_line

INSTANT = datetime.timedelta(microseconds=1)
#: A pause that has no end and is older than this may have been forgotten.
LONG = datetime.timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class PauseState:
    """A pause as it stands. ``end`` is when it ended or will; None where somebody must end it."""

    job: str
    since: datetime.datetime
    until: datetime.datetime | None
    reason: str
    who: str
    end: datetime.datetime | None
    resumed_by: str

    def holds(self, at: datetime.datetime) -> bool:
        """Tell whether a slot lies in it."""
        return self.since <= at and (self.end is None or at < self.end)

    def lasts(self, now: datetime.datetime) -> bool:
        """Tell whether it is not over; none begins later than it was made."""
        return self.end is None or now < self.end

    def forgotten(self, now: datetime.datetime) -> bool:
        """Tell whether it has no end and is old."""
        return self.end is None and now - self.since > LONG


@dataclass(frozen=True, kw_only=True)
class Paused:
    """A pause that was made, and the runs of the job that go on meanwhile."""

    pause: PauseState
    running: tuple[int, ...]


class PausedError(RefusedError):
    """The job is paused; ``pause`` says by whom, why and until when."""

    def __init__(self, pause: PauseState) -> None:
        self.pause = pause
        super().__init__(
            f"Refused: {pause.job} is {paused_text(pause)}; nothing was changed. "
            f"'inv jobs.resume {pause.job}' ends the pause."
        )


def paused(job: str, at: datetime.datetime) -> PauseState | None:
    """Return the pause of a job in which a time (aware) lies, such as a slot."""
    return next((each for each in pauses(job, since=at) if each.holds(at)), None)


def in_force(job: str) -> PauseState | None:
    """Return the pause in which a job is now, by the database's clock."""
    found = _open(job).order_by("-pk").first()
    return state(found) if found else None


def require_unpaused(job: str, now: datetime.datetime) -> None:
    """Raise ``PausedError`` while a job is paused at ``now`` (aware), by the database's clock."""
    if found := paused(job, now):
        raise PausedError(found)


def require_no_pause(job: str) -> None:
    """Raise ``RefusedError`` where a job is paused already."""
    if found := in_force(job):
        raise RefusedError(
            f"Refused: {job} is {paused_text(found)} already; nothing was changed. "
            f"'inv jobs.resume {job}' ends that pause first."
        )


def pause(job: str, *, until: datetime.datetime | None, reason: str, who: Who) -> Paused:
    """Pause a job from now on: no run of it begins before ``until`` (aware), or ``resume``.

    What runs goes on. Raises ``RefusedError`` where it is paused already.
    """
    require_no_pause(job)
    made = Pause.objects.create(job=job, until=until, reason=masked(reason), who=_name(who))
    made.refresh_from_db()
    going = Run.objects.filter(job=job, status=Status.RUNNING).order_by("pk")
    running = tuple(going.values_list("pk", flat=True))
    return Paused(pause=state(made), running=running)


def resume(job: str, *, who: Who) -> list[PauseState]:
    """End the pause of a job, and return what was ended; nothing where it is not paused."""
    ended = list(_open(job).order_by("pk").values_list("pk", flat=True))
    mine = Pause.objects.filter(pk__in=ended, resumed=None)
    mine.update(resumed=Now(), resumed_by=_name(who))
    return [state(each) for each in Pause.objects.filter(pk__in=ended).order_by("pk")]


def pauses(job: str | None = None, since: datetime.datetime | None = None) -> list[PauseState]:
    """Return the pauses, oldest first: of one job, and those that ended after ``since``."""
    found = Pause.objects.all() if job is None else Pause.objects.filter(job=job)
    known = [state(each) for each in found.order_by("pk")]
    return [each for each in known if since is None or each.end is None or each.end > since]


def slots_outside(
    job: Job, start: datetime.datetime, end: datetime.datetime, known: Sequence[PauseState]
) -> Iterator[datetime.datetime]:
    """Yield the slots later than ``start`` and not later than ``end`` that lie in no pause."""
    slot = slots.after(job, start)
    while slot and slot <= end:
        around = next((each for each in known if each.holds(slot)), None)
        if around is None:
            yield slot
            slot = slots.after(job, slot)
        elif around.end is None:
            return
        else:
            slot = slots.after(job, around.end - INSTANT)


def state(found: Pause) -> PauseState:
    """Return a pause as it stands."""
    ends = [at for at in (found.until, found.resumed) if at]
    return PauseState(
        job=found.job,
        since=found.since,
        until=found.until,
        reason=found.reason,
        who=found.who,
        end=min(ends, default=None),
        resumed_by=found.resumed_by,
    )


def paused_text(found: PauseState) -> str:
    """Return since when and until when a job is paused, by whom and why."""
    until = f" until {found.until:%Y-%m-%dT%H:%MZ}" if found.until else ""
    since = f"{found.since:%Y-%m-%dT%H:%MZ}"
    why = f" ({one_line(found.reason)})" if found.reason else ""
    return f"paused since {since}{until} by {one_line(found.who)}{why}"


def _open(job: str) -> QuerySet[Pause]:
    """Return the pauses that are not over; none begins later than it was made."""
    return Pause.objects.filter(Q(until=None) | Q(until__gt=Now()), job=job, resumed=None)


def _name(who: Who) -> str:
    return who.ci_url or f"{who.user}@{who.host}"
