"""How a page is answered: for whom, in which template, and with one line where it cannot be made.

Times are read here, once for a page.
"""

import datetime
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError, ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse

from django_runbook.config import ConfigError
from django_runbook.jobs.errors import UnknownRunError
from django_runbook.jobs.models import Run
from django_runbook.jobs.pages.links import Links
from django_runbook.schema.database.target import unapplied
from django_runbook.schema.secrets import shown

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

Maker = Callable[[datetime.datetime], Mapping[str, Any]]


class UnavailableError(Exception):
    """The page cannot be made; the message is what the commands would say."""


def page(
    admin: "ModelAdmin[Any]", request: HttpRequest, template: str, title: str, make: Maker
) -> HttpResponse:
    """Answer with a page of what ``make`` returns for the time, to whoever may view the model."""
    site, code = admin.admin_site, HTTPStatus.OK
    try:
        found = _made(admin, request, make)
    except UnavailableError as error:
        template, found, code = "told", {"line": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE
    request.current_app = site.name
    context = {
        **site.each_context(request),
        "opts": admin.opts,
        "title": title,
        "links": Links(site.name),
        **found,
    }
    return TemplateResponse(request, f"admin/runbook_jobs/{template}.html", context, status=code)


def live(admin: "ModelAdmin[Any]", request: HttpRequest, make: Maker) -> HttpResponse:
    """Answer with JSON of what moves on a page, which nobody keeps."""
    try:
        found, code = _made(admin, request, make), HTTPStatus.OK
    except UnavailableError as error:
        found, code = {"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE
    answer = JsonResponse(dict(found), status=code)
    answer["Cache-Control"] = "no-store"
    return answer


def _made(admin: "ModelAdmin[Any]", request: HttpRequest, make: Maker) -> Mapping[str, Any]:
    if not admin.has_view_or_change_permission(request):
        raise PermissionDenied
    try:
        return make(datetime.datetime.now(datetime.UTC))
    except UnknownRunError as unknown:
        raise Http404(str(unknown)) from unknown
    except ConfigError as wrong:
        raise UnavailableError(shown(str(wrong))) from wrong
    except (OperationalError, ProgrammingError) as error:
        missing = [name for name in unapplied() if name.startswith(f"{Run._meta.app_label}.")]
        if not missing:
            raise
        line = f"{missing[0]} is not applied. Run 'inv db.migrate' first."
        raise UnavailableError(line) from error
