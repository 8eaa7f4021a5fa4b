"""The jobs and their ledger in Django's admin: only runs write it, and what is old can be removed.

What a page shows is made in ``pages``, and what may be done there in ``pages.acts``.
"""

import datetime
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path

from django_runbook.config import ConfigError, of_settings
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import retention
from django_runbook.jobs.ledger.reading.history import status, with_pulse
from django_runbook.jobs.models import Job, Pause, Run, Slot
from django_runbook.jobs.pages import acts, views
from django_runbook.jobs.pages.views import acts_alone, reads
from django_runbook.jobs.pages.words import number


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows, and lets nobody add, change or delete."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Refuse: what a run changed could not be put back any more."""
        return False


def _before() -> datetime.datetime | None:
    """Return the end before which a run is kept no longer; None where all are kept."""
    try:
        found = of_settings()
    except ConfigError:
        return None
    if found is None or found.keep_days is None:
        return None
    return database_now() - datetime.timedelta(days=found.keep_days)


class RunAdmin(ReadOnlyAdmin):
    """Runs, newest first. One whose heart has stopped is shown as lost, as everywhere.

    Whoever may delete runs can delete what ``inv jobs.prune`` would remove as it is declared.
    """

    list_display = (
        "id",
        "job",
        "slot",
        "how_far",
        "started",
        "finished",
        "due",
        "changed",
        "batches",
        "who",
        "undoes",
    )
    list_filter = ("job", "status", "started")
    search_fields = ("=id", "job", "user", "host", "reason")
    ordering = ("-id",)
    list_select_related = ("undoes",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Look at the hearts as well."""
        return with_pulse(super().get_queryset(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse what nothing else would remove: it could not be put back any more."""
        before = _before()
        if before is None or not admin.ModelAdmin.has_delete_permission(self, request, obj):
            return False
        return obj is None or obj.pk in retention.removable([obj.pk], before)

    def get_deleted_objects(
        self, objs: Iterable[Any], _request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return the runs with their undos, their number, and those that stay for all that."""
        pks = [run.pk for run in objs]
        before = _before()
        going = retention.removable(pks, before) if before else set()
        going |= set(Run.objects.filter(undoes__in=going).values_list("pk", flat=True))
        stays = Run.objects.filter(pk__in=pks).exclude(pk__in=going).order_by("pk")
        shown = [str(run) for run in Run.objects.filter(pk__in=going).order_by("pk")]
        kept = [f"{run}: still needed, or it goes after older ones" for run in stays]
        return shown, {str(self.opts.verbose_name_plural): len(shown)}, set(), kept

    def delete_model(self, request: HttpRequest, obj: Run) -> None:
        """Remove a run."""
        self.delete_queryset(request, Run.objects.filter(pk=obj.pk))

    def delete_queryset(self, _request: HttpRequest, queryset: QuerySet[Run]) -> None:
        """Remove runs. Raises ``PermissionDenied`` where one has come to be needed since."""
        before = _before()
        try:
            if before:
                retention.remove(list(queryset.values_list("pk", flat=True)), before)
        except RefusedError as refusal:
            raise PermissionDenied(str(refusal)) from refusal

    def get_urls(self) -> list[URLPattern]:
        """Return the addresses of a run's pages, and Django's own."""
        own = self.admin_site.admin_view
        act = r"^(?P<pk>[0-9]+)/(?P<act>stop|undo)/$"
        return [
            path("<int:pk>/live.json", own(self.live_view), name="runbook_jobs_run_live"),
            path("<int:pk>/batches/", own(self.batches_view), name="runbook_jobs_run_batches"),
            re_path(act, own(self.act_view), name="runbook_jobs_run_act"),
            *super().get_urls(),
        ]

    @reads
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        _form_url: str = "",
        _extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a run, which nobody changes here."""
        return views.show_run(self, request, number(object_id))

    @reads
    def live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answer with how far a run is."""
        return views.answer_run(self, request, pk)

    @reads
    def batches_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the rows that a run changed."""
        return views.show_batches(self, request, pk)

    @acts_alone
    def act_view(self, request: HttpRequest, pk: str, act: str) -> HttpResponse:
        """Stop or undo a run."""
        return acts.run_act(self, request, int(pk), act)

    @admin.display(description="status", ordering="status")
    def how_far(self, run: Run) -> str:
        """Return how far it came."""
        return str(status(run).label)


class JobAdmin(ReadOnlyAdmin):
    """The jobs: how they are, and what may be done with them."""

    def get_urls(self) -> list[URLPattern]:
        """Return the addresses of the pages; none of Django's own would say anything of a job."""
        own = self.admin_site.admin_view
        return [
            path("", own(self.changelist_view), name="runbook_jobs_job_changelist"),
            path("live.json", own(self.live_view), name="runbook_jobs_job_live"),
            path("<path:name>/change/", own(self.job_view), name="runbook_jobs_job_change"),
            path("<path:name>/explain/", own(self.explain_view), name="runbook_jobs_job_explain"),
            path("<path:name>/<slug:act>/", own(self.act_view), name="runbook_jobs_job_act"),
        ]

    @reads
    def changelist_view(
        self, request: HttpRequest, _extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show all jobs."""
        return views.show_jobs(self, request)

    @reads
    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with what moves on that page."""
        return views.answer_jobs(self, request)

    @reads
    def job_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show a job."""
        return views.show_job(self, request, unquote(name))

    @reads
    def explain_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the story of a row."""
        return views.show_story(self, request, unquote(name))

    @acts_alone
    def act_view(self, request: HttpRequest, name: str, act: str) -> HttpResponse:
        """Run, try, pause or resume a job."""
        return acts.job_act(self, request, unquote(name), act)


class SlotAdmin(ReadOnlyAdmin):
    """Slots, and the run that has claimed each."""

    list_display = ("job", "at", "run")
    list_filter = ("job",)
    list_select_related = ("run",)
    ordering = ("-at",)


class PauseAdmin(ReadOnlyAdmin):
    """Pauses, newest first: `inv jobs.pause` makes them, and `inv jobs.resume` ends them."""

    list_display = ("job", "since", "until", "who", "reason", "resumed", "resumed_by")
    list_filter = ("job",)
    search_fields = ("job", "who", "reason")
    ordering = ("-id",)


#: What is shown of each model of the ledger.
SHOWN = {Job: JobAdmin, Run: RunAdmin, Slot: SlotAdmin, Pause: PauseAdmin}


def register(site: AdminSite) -> None:
    """Show the jobs on an admin site of the project; what it shows of them already stays."""
    for model, shown in SHOWN.items():
        if not site.is_registered(model):
            site.register(model, shown)


register(admin.site)
