"""The ledger in Django's admin, to be read: only runs write it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from django_runbook.jobs.ledger.history import status, with_pulse
from django_runbook.jobs.models import Run, Slot


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


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs, newest first. One whose heart has stopped is shown as lost, as everywhere."""

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
