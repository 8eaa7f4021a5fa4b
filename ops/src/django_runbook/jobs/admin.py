"""The ledger in Django's admin, to be read: only runs write it, and what is old can be removed."""

import datetime
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest

from django_runbook.config import ConfigError, of_settings
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import retention
from django_runbook.jobs.ledger.reading.history import status, with_pulse
from django_runbook.jobs.models import Pause, Run, Slot


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


@admin.register(Run)
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
    list_filter = ("job", "status")
    search_fields = ("=id", "job", "user", "host", "reason")
    date_hierarchy = "started"
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

    @admin.display(description="status", ordering="status")
    def how_far(self, run: Run) -> str:
        """Return how far it came."""
        return str(status(run).label)


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    """Slots, and the run that has claimed each."""

    list_display = ("job", "at", "run")
    list_filter = ("job",)
    list_select_related = ("run",)
    ordering = ("-at",)


@admin.register(Pause)
class PauseAdmin(ReadOnlyAdmin):
    """Pauses, newest first: `inv jobs.pause` makes them, and `inv jobs.resume` ends them."""

    list_display = ("job", "since", "until", "who", "reason", "resumed", "resumed_by")
    list_filter = ("job",)
    search_fields = ("job", "who", "reason")
    ordering = ("-id",)
