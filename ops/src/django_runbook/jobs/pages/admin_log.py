"""What was done to a job or a run by the pages: Django's own log of the admin."""

from dataclasses import dataclass

from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.utils.safestring import SafeString

from django_runbook.jobs.pages.words import when
from django_runbook.text.cleaning import one_line

#: Entries that are shown.
LAST = 10


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What somebody did by a page."""

    at: SafeString
    who: str
    what: str


def entries(model: type[Model], key: str) -> tuple[Entry, ...]:
    """Return the last entries about a job, by its name, or a run, by its number."""
    meta = model._meta
    found = LogEntry.objects.filter(
        content_type__app_label=meta.app_label, content_type__model=meta.model_name, object_id=key
    ).select_related("user")
    return tuple(
        Entry(
            at=when(entry.action_time),
            who=one_line(entry.user.get_username()),
            what=one_line(entry.get_change_message()),
        )
        for entry in found.order_by("-action_time", "-pk")[:LAST]
    )
