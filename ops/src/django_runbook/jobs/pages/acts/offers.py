"""What a user may do now, of a job and of a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse

from django_runbook.config import ConfigError
from django_runbook.jobs.background import backend
from django_runbook.jobs.ledger.reading.history import RunState
from django_runbook.jobs.models import Status
from django_runbook.jobs.pages.acts.visits import may
from django_runbook.jobs.pages.links import UNSPEAKABLE
from django_runbook.jobs.registry import transitions
from django_runbook.jobs.watch.job_details import JobDetails

LABELS = {
    "run": "Run now",
    "dry-run": "Dry run",
    "pause": "Pause",
    "resume": "Resume",
    "stop": "Stop after this batch",
    "undo": "Undo",
}


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that a user may do; with a ``reason``, only as that says."""

    name: str
    label: str
    url: str
    reason: str = ""


def offered_for_job(request: HttpRequest, admin: Any, details: JobDetails) -> list[Act]:
    """Return what this user may do with a job as it stands. Asks no database."""
    name, paused = details.job.name, details.health.paused is not None
    if name in UNSPEAKABLE:
        return []
    given = {
        "dry-run": details.transition,
        "run": (details.declared or details.transition) and not paused,
        "pause": not paused,
        "resume": paused,
    }
    here = [act for act, is_given in given.items() if is_given and may(request, act)]
    return [
        Act(
            name=act,
            label=LABELS[act],
            url=_url(admin, "job", quote(name), act),
            reason=_no_worker(f"inv jobs.run {name}") if act == "run" else "",
        )
        for act in here
    ]


def offered_for_run(request: HttpRequest, admin: Any, run_state: RunState) -> list[Act]:
    """Return what this user may do with a run as it stands. Asks no database."""
    here = [act for act in _on_run(run_state) if may(request, act)]
    return [
        Act(
            name=act,
            label=LABELS[act],
            url=_url(admin, "run", run_state.run, act),
            reason=_no_worker(f"inv jobs.undo {run_state.run}") if act == "undo" else "",
        )
        for act in here
    ]


def _on_run(run: RunState) -> Iterator[str]:
    if run.status == Status.RUNNING:
        if not run.stop_reason:
            yield "stop"
    elif run.changed and not run.undoes and not run.undone and run.job in transitions():
        yield "undo"


def _no_worker(command: str) -> str:
    """Return what is typed in place of a link, where nothing can be handed to a worker."""
    try:
        found = backend()
    except ConfigError:
        return ""  # the page of the act says what is wrong
    return "" if found else command


def _url(admin: Any, what: str, *args: Any) -> str:
    site = getattr(admin, "admin_site", admin)
    return reverse(f"admin:runbook_jobs_{what}_act", args=args, current_app=site.name)
