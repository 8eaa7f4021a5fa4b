"""The page of all jobs: how each is, what it did last, and when it is due."""

import datetime
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from django_runbook.jobs.ledger.pauses import PauseState
from django_runbook.jobs.ledger.reading.history import RunState
from django_runbook.jobs.models import Status
from django_runbook.jobs.pages import svg
from django_runbook.jobs.pages.links import Links
from django_runbook.jobs.pages.run import OFTEN
from django_runbook.jobs.pages.words import Said, countdown, said, when
from django_runbook.jobs.registry import transitions
from django_runbook.jobs.report.formats import duration, second
from django_runbook.jobs.report.tables import HOW
from django_runbook.jobs.watch.job_details import JobDetails
from django_runbook.jobs.watch.overview import JobOverview, overview
from django_runbook.jobs.watch.states import State
from django_runbook.schedule.wording import words
from django_runbook.text.cleaning import one_line

ActsOf = Callable[[JobDetails], Sequence[Any]]
#: How often the page asks for what moves while nothing runs, in seconds.
SELDOM = 30


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The last run of a job, how it came out, and when it began."""

    number: str
    address: str
    how: str
    when: SafeString


@dataclass(frozen=True, kw_only=True)
class PauseShown:
    """A pause that a job is in: until when, by whom and why."""

    since: SafeString
    until: SafeString
    who: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """A job as the list shows it. ``key`` is its name among what moves."""

    key: str
    name: str
    address: str
    state: State
    said: tuple[Said, ...]
    schedule: str
    next_slot: SafeString
    countdown: SafeString
    last: LastRun | None
    paused: PauseShown | None
    strip: svg.Strip | None
    acts: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class JobsPage:
    """All jobs, and what the page's script needs: ``stamp`` changes where a run begins or ends."""

    rows: tuple[JobRow, ...]
    ill: str
    legend: tuple[svg.Mark, ...]
    now: str
    stamp: str
    every: int
    texts: Mapping[str, str]


def jobs_page(links: Links, now: datetime.datetime, acts_of: ActsOf = lambda _job: ()) -> JobsPage:
    """Return the page at ``now`` (aware); ``acts_of`` says what may be done with a job."""
    found = overview(now)
    rows = tuple(
        _row(str(place), one, links, now, acts_of(_brief(one))) for place, one in enumerate(found)
    )
    ill = sum(1 for one in found if not one.health.ok)
    last = [one.health.last for one in found if one.health.last]
    going = any(run.status == Status.RUNNING for run in last)
    states = [(one.job.name, one.health.state) for one in found]
    return JobsPage(
        rows=rows,
        ill=f"{ill} of {len(rows)} job(s) need a look." if ill else "",
        legend=svg.legend(),
        now=second(now),
        stamp=_stamp(states, [(run.run, run.status) for run in last]),
        every=OFTEN if going else SELDOM,
        texts=dict(_texts(rows)),
    )


def jobs_live(links: Links, now: datetime.datetime) -> dict[str, Any]:
    """Return what the page's script asks for."""
    page = jobs_page(links, now)
    return {"stamp": page.stamp, "every": page.every, "texts": page.texts, "values": {}}


def how(run: RunState, now: datetime.datetime) -> str:
    """Return how a run came out, or how far it is at ``now`` (aware)."""
    if run.status != Status.RUNNING:
        rows = f", {run.changed:,} row(s)" if run.changed else ""
        return f"{HOW[Status(run.status)]} after {duration(run.seconds)}{rows}"
    of = f" of {run.due:,}" if run.due is not None else ""
    lasts = duration(max(now - run.started, datetime.timedelta()))
    return f"has been running for {lasts}, {run.changed:,}{of} row(s)"


def pause_shown(pause: PauseState) -> PauseShown:
    """Return a pause as the pages show it."""
    return PauseShown(
        since=when(pause.since),
        until=when(pause.until),
        who=one_line(pause.who),
        reason=one_line(pause.reason),
    )


def _brief(one: JobOverview) -> JobDetails:
    """Return of a job what says which acts are offered; the rest would take queries."""
    moved = transitions().get(one.job.name)
    return JobDetails(
        job=one.job,
        declared=one.declared,
        health=one.health,
        strip=one.strip,
        pauses=(),
        coming=(),
        limits=(),
        found=(),
        usual=None,
        lengths=(),
        schedule="",
        where="",
        workflow_url=None,
        transition=moved is not None,
        explains=moved is not None and moved.explain is not None,
    )


def _stamp(*facts: Any) -> str:
    """Return a short text that is another where one of these facts is."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]


def _row(
    key: str, one: JobOverview, links: Links, now: datetime.datetime, acts: Sequence[Any]
) -> JobRow:
    health = one.health
    schedule = words(one.job) or ("no schedule" if one.declared else "not declared")
    return JobRow(
        key=key,
        name=one_line(health.job),
        address=links.job(health.job),
        state=State(health.state),
        said=said(health),
        schedule=schedule,
        next_slot=when(health.next_slot),
        countdown=countdown(health.next_slot, now),
        last=_last(health.last, links, now) if health.last else None,
        paused=pause_shown(health.paused) if health.paused else None,
        strip=svg.strip(one.strip) if one.strip else None,
        acts=acts,
    )


def _last(run: RunState, links: Links, now: datetime.datetime) -> LastRun:
    return LastRun(
        number=str(run.run),
        address=links.run(run.run),
        how=how(run, now),
        when=when(run.started),
    )


def _texts(rows: Sequence[JobRow]) -> Any:
    """Yield what may be another text while no run begins or ends."""
    for row in rows:
        for place, one in enumerate(row.said):
            yield f"said-{row.key}-{place}", one.text
        if row.last:
            yield f"last-{row.key}", row.last.how
