"""What may be done on the pages: each act asks first, needs its own permission, and is logged."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from django_runbook.jobs.pages.acts import on_jobs, on_runs
from django_runbook.jobs.pages.acts.answers import answered
from django_runbook.jobs.pages.acts.offers import Act, offered_for_job, offered_for_run
from django_runbook.jobs.pages.acts.visits import Visit

__all__ = ["Act", "job_act", "offered_for_job", "offered_for_run", "run_act"]

Handler = Callable[[Visit], HttpResponse]
ON_JOBS: Mapping[str, Handler] = {
    "run": on_jobs.run,
    "dry-run": on_jobs.dry_run,
    "pause": on_jobs.pause,
    "resume": on_jobs.resume,
}
ON_RUNS: Mapping[str, Handler] = {"stop": on_runs.stop, "undo": on_runs.undo}


def job_act(admin: Any, request: HttpRequest, name: str, act: str) -> HttpResponse:
    """Ask for an act on a job (GET), or do it (POST). Raises ``Http404`` for an act that is none.

    Raises ``PermissionDenied`` for whoever may not; what is refused is a page with one line.
    """
    return _answer(ON_JOBS, Visit.of(admin, request, act, name))


def run_act(admin: Any, request: HttpRequest, pk: Any, act: str) -> HttpResponse:
    """Ask for an act on a run, or do it, as ``job_act``."""
    return _answer(ON_RUNS, Visit.of(admin, request, act, str(pk)))


def _answer(handlers: Mapping[str, Handler], visit: Visit) -> HttpResponse:
    if visit.act not in handlers:
        raise Http404(f"There is no act '{visit.act}'.")
    return answered(visit, handlers[visit.act])
