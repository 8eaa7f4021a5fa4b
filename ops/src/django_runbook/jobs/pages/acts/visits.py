"""Who asks for which act, of which job or run, on which admin site."""

import socket
from dataclasses import dataclass
from typing import Any, Self

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from django_runbook.jobs.ledger.who import ADMIN, Who
from django_runbook.jobs.models import Job, Run
from django_runbook.jobs.pages.links import Links
from django_runbook.text.cleaning import cut, one_line

#: The permission that each act needs.
PERMISSIONS = {
    "run": "run_job",
    "dry-run": "run_job",
    "pause": "pause_job",
    "resume": "pause_job",
    "stop": "stop_run",
    "undo": "undo_run",
}
LONGEST = 200  # characters of a name in Django's log


@dataclass(frozen=True)
class Visit:
    """A request for an act; ``subject`` is the name of the job, or the number of the run."""

    site: AdminSite
    request: HttpRequest
    act: str
    subject: str

    @classmethod
    def of(cls, admin: Any, request: HttpRequest, act: str, subject: str) -> Self:
        """Return the visit of a request to a model's admin, or to a site."""
        return cls(getattr(admin, "admin_site", admin), request, act, subject)

    @property
    def posted(self) -> bool:
        """Whether the act is to be done; else it is to be shown."""
        return self.request.method == "POST"

    @property
    def user(self) -> str:
        """The name of whoever asks."""
        return str(self.request.user.get_username())

    @property
    def who(self) -> Who:
        """Who asks, and on which machine the page is served."""
        return Who(user=self.user, host=socket.gethostname(), through=ADMIN)

    @property
    def on_run(self) -> bool:
        """Whether the subject is a run."""
        return self.act in {"stop", "undo"}

    @property
    def back(self) -> str:
        """The address of the subject's own page."""
        links = Links(self.site.name)
        if not self.on_run:
            return links.job(self.subject) or links.jobs()
        return links.run(int(self.subject)) if self.subject.isdecimal() else links.runs()

    def require_permission(self) -> None:
        """Raise ``PermissionDenied`` for whoever may not do it."""
        if not may(self.request, self.act):
            raise PermissionDenied

    def done(self, line: str, *, log: str = "") -> HttpResponse:
        """Go back to the subject with a message; what was done is logged."""
        if log:
            self.log(log)
        messages.success(self.request, line)
        return HttpResponseRedirect(self.back)

    def log(self, what: str) -> None:
        """Write into Django's admin log what was done."""
        about = f"run {self.subject}" if self.on_run else self.subject
        LogEntry.objects.create(
            user_id=str(self.request.user.pk),
            content_type=self._kind(),
            object_id=self.subject,
            object_repr=cut(one_line(about), LONGEST),
            action_flag=CHANGE,
            change_message=one_line(what),
        )

    def logged(self, what: str) -> QuerySet[LogEntry]:
        """Return the entries of Django's admin log that say this of the subject, newest first."""
        entries = LogEntry.objects.filter(content_type=self._kind(), object_id=self.subject)
        return entries.filter(change_message__contains=what).order_by("-pk")

    def _kind(self) -> ContentType:
        model = Run if self.on_run else Job
        return ContentType.objects.get_for_model(model, for_concrete_model=False)


def may(request: HttpRequest, act: str) -> bool:
    """Tell whether a user may do an act."""
    return request.user.has_perm(f"{Run._meta.app_label}.{PERMISSIONS[act]}")
