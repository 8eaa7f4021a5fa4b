"""The page of a job: its state, its schedule and limits, its history, and what was done to it."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_runbook import config
from django_runbook.jobs import registry
from django_runbook.jobs.ledger.pauses import PauseState
from django_runbook.jobs.models import Job, Run
from django_runbook.jobs.pages import svg
from django_runbook.jobs.pages.admin_log import Entry, entries
from django_runbook.jobs.pages.history import History, charts, history_shown
from django_runbook.jobs.pages.jobs import PauseShown, pause_shown
from django_runbook.jobs.pages.links import Links
from django_runbook.jobs.pages.story import rows_of_job
from django_runbook.jobs.pages.words import Said, countdown, said, when
from django_runbook.jobs.report.formats import duration
from django_runbook.jobs.watch.job_details import JobDetails, job_details
from django_runbook.jobs.watch.states import State
from django_runbook.text.cleaning import one_line

#: Keys of a job's table that the page says in words of its own.
IN_WORDS = ("name", "cron", "timezone")
#: Pauses that are shown.
PAUSES = 10


@dataclass(frozen=True, kw_only=True)
class JobPage:
    """Everything about a job, as it is shown."""

    name: str
    state: State
    said: Sequence[Said]
    schedule: str
    cron: str
    where: str
    workflow: str
    coming: Sequence[SafeString]
    countdown: SafeString
    declared: bool
    declaration: Mapping[str, str]
    limits: Sequence[Any]
    found: Sequence[tuple[SafeString | str, str]]
    usual: str
    strip: svg.Strip | None
    legend: Sequence[svg.Mark]
    charts: Sequence[svg.Chart]
    history: History
    pauses: Sequence[tuple[PauseShown, SafeString, str]]
    explains: bool
    log: Sequence[Entry]


def job_page(
    site: AdminSite, request: HttpRequest, name: str, now: datetime.datetime
) -> tuple[JobPage, JobDetails] | None:
    """Return the page of a job at ``now`` (aware); None where nobody knows of such a job."""
    if not known(name):
        return None
    found = job_details(name, now)
    job, moved = found.job, registry.transitions().get(name)
    page = JobPage(
        name=one_line(name),
        state=State(found.health.state),
        said=said(found.health),
        schedule=found.schedule,
        cron=f"{job.cron} {job.timezone}" if job.cron else "",
        where=found.where,
        workflow=found.workflow_url or "",
        coming=tuple(map(when, found.coming)),
        countdown=countdown(next(iter(found.coming), None), now),
        declared=found.declared,
        declaration=_declaration(job),
        limits=found.limits,
        found=tuple((_day(at), f"{due:,}") for at, due in found.found),
        usual=duration(found.usual) if found.usual else "",
        strip=svg.strip(found.strip) if found.strip else None,
        legend=svg.legend(),
        charts=charts(found.lengths, found.usual),
        history=history_shown(name, request.GET, Links(site.name)),
        pauses=tuple(map(_pause, reversed(found.pauses[-PAUSES:]))),
        explains=bool(found.explains and moved and rows_of_job(site, request, moved).seen),
        log=entries(Job, name),
    )
    return page, found


def known(name: str) -> bool:
    """Tell whether a job is declared, registered, or has ever run."""
    if "\0" in name:  # no database of PostgreSQL can be asked for it
        return False
    if name in registry.transitions() or any(job.name == name for job in registry.declared()):
        return True
    return Run.objects.filter(job=name).exists()


def _declaration(job: config.Job) -> Mapping[str, str]:
    """Return the keys of a job's table, declared or not, as they would stand there."""
    names = (field.name for field in dataclasses.fields(job) if field.name not in IN_WORDS)
    return {name: _spelt(getattr(job, name)) for name in names}


def _spelt(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _day(at: datetime.date) -> SafeString | str:
    return when(at) if isinstance(at, datetime.datetime) else f"{at:%Y-%m-%d} (UTC)"


def _pause(pause: PauseState) -> tuple[PauseShown, SafeString, str]:
    ended = when(pause.end) if pause.resumed_by else when(None)
    return pause_shown(pause), ended, one_line(pause.resumed_by)
