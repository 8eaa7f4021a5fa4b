"""The views of the pages, for the classes of the admin: thin, and for every admin site."""

import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.transaction import non_atomic_requests
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from django_runbook.jobs.ledger.reading.details import details
from django_runbook.jobs.models import Run
from django_runbook.jobs.pages import acts
from django_runbook.jobs.pages.batches import batches_page
from django_runbook.jobs.pages.job import job_page
from django_runbook.jobs.pages.jobs import jobs_live, jobs_page
from django_runbook.jobs.pages.links import Links
from django_runbook.jobs.pages.run import run_live, run_page
from django_runbook.jobs.pages.serving import live, page
from django_runbook.jobs.pages.story import story_page
from django_runbook.jobs.pages.words import number

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

#: A page that only reads needs no transaction: one that fails would break it.
reads = method_decorator([non_atomic_requests, require_safe])
#: An act looks within a time, and what would break that off would break a request's transaction.
acts_alone = method_decorator(non_atomic_requests)


def show_jobs(admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    """Show all jobs."""

    def make(now: datetime.datetime) -> dict[str, Any]:
        offered = partial(acts.offered_for_job, request, admin)
        return {"page": jobs_page(Links(admin.admin_site.name), now, offered)}

    return page(admin, request, "jobs", "Jobs", make)


def answer_jobs(admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    """Answer with what moves on the page of all jobs."""
    return live(admin, request, partial(jobs_live, Links(admin.admin_site.name)))


def show_job(admin: "ModelAdmin[Any]", request: HttpRequest, name: str) -> HttpResponse:
    """Show everything about a job, and what may be done with it."""

    def make(now: datetime.datetime) -> dict[str, Any]:
        found = job_page(admin.admin_site, request, name, now)
        if found is None:
            raise Http404(f"There is no job '{name}'.")
        shown, known = found
        return {
            "page": shown,
            "title": shown.name,
            "acts": acts.offered_for_job(request, admin, known),
            "explain": Links(admin.admin_site.name).explain(name),
        }

    return page(admin, request, "job", "Job", make)


def show_story(admin: "ModelAdmin[Any]", request: HttpRequest, name: str) -> HttpResponse:
    """Show the story of a row."""

    def make(now: datetime.datetime) -> dict[str, Any]:
        found = story_page(admin.admin_site, request, name, now)
        if found is None:
            raise Http404(f"The job '{name}' explains no rows.")
        return {"page": found, "job": Links(admin.admin_site.name).job(name)}

    return page(admin, request, "story", "The story of a row", make)


def show_run(admin: "ModelAdmin[Any]", request: HttpRequest, pk: int | None) -> HttpResponse:
    """Show everything about a run, and what may be done with it."""

    def make(now: datetime.datetime) -> dict[str, Any]:
        if pk is None:
            raise Http404("A run has a number.")
        found = details(pk)
        deletable = admin.has_delete_permission(request, Run(pk=pk))
        return {
            "page": run_page(admin.admin_site, request, found, now, deletable=deletable),
            "acts": acts.offered_for_run(request, admin, found.state),
        }

    return page(admin, request, "run", f"Run {pk}", make)


def answer_run(admin: "ModelAdmin[Any]", request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with how far a run is."""
    return live(admin, request, partial(run_live, pk))


def show_batches(admin: "ModelAdmin[Any]", request: HttpRequest, pk: int) -> HttpResponse:
    """Show the rows that a run changed, batch by batch."""

    def make(_now: datetime.datetime) -> dict[str, Any]:
        after = number(request.GET.get("after")) or 0
        found = batches_page(admin.admin_site, request, pk, after)
        return {"page": found, "run": Links(admin.admin_site.name).run(pk)}

    return page(admin, request, "batches", f"Rows of run {pk}", make)
