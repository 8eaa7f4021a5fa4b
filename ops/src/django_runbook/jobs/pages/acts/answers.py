"""The page of an act: what would happen, the question, or the one line why it does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.db import Error
from django.forms import BaseForm
from django.http import HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse

from django_runbook.config import ConfigError
from django_runbook.jobs.database.faults import one_line
from django_runbook.jobs.database.zones import require_zones
from django_runbook.jobs.errors import FailedError, RefusedError, UnknownRunError
from django_runbook.jobs.pages.acts.visits import Visit
from django_runbook.jobs.pages.links import Links
from django_runbook.schema.errors import GuardError
from django_runbook.schema.secrets import shown

ALLOWED = ("GET", "HEAD", "POST")
TITLES = {
    "run": "Run {} now",
    "dry-run": "Dry run of {}",
    "pause": "Pause {}",
    "resume": "Resume {}",
    "stop": "Stop run {} after its batch",
    "undo": "Undo run {}",
}


class UnknownJobError(Exception):
    """Nobody declares, registers or has run a job of this name. The message says so."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Some rows under their heads, and what they are."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the page of an act shows, from the top.

    ``target`` is the line of a terminal: what happens where. ``notes`` are lines that warn,
    ``command`` does the same on a terminal. Without a ``form`` there is nothing to be done here.
    """

    target: str = ""
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    table: Table | None = None
    command: str = ""
    form: BaseForm | None = None
    submit: str = ""


def answered(visit: Visit, handle: Callable[[Visit], HttpResponse]) -> HttpResponse:
    """Answer a visit; what is refused, unknown or fails is a page with one line and its status."""
    visit.require_permission()
    if visit.request.method not in ALLOWED:
        return HttpResponseNotAllowed(ALLOWED)
    try:
        require_zones()
        return handle(visit)
    except (UnknownRunError, UnknownJobError) as unknown:
        return refused(visit, str(unknown), HTTPStatus.NOT_FOUND)
    except (RefusedError, GuardError, ConfigError) as refusal:
        return refused(visit, str(refusal), HTTPStatus.CONFLICT)
    except FailedError as failure:
        return refused(visit, str(failure), HTTPStatus.SERVICE_UNAVAILABLE)
    except Error as error:
        return refused(visit, one_line(error), HTTPStatus.SERVICE_UNAVAILABLE)


def page(visit: Visit, shows: Page, *, line: str = "", status: int = HTTPStatus.OK) -> HttpResponse:
    """Return the page of an act, with a line on what was wrong with what was sent."""
    if shows.form is not None and shows.form.is_bound and not line and shows.form.errors:
        status = HTTPStatus.BAD_REQUEST
    return _rendered(visit, status, shows=shows, line=shown(line))


def refused(visit: Visit, line: str, status: int) -> HttpResponse:
    """Return the page that only says why not."""
    return _rendered(visit, status, shows=Page(), line=shown(" ".join(line.split())))


def _rendered(visit: Visit, status: int, **more: Any) -> HttpResponse:
    request, links = visit.request, Links(visit.site.name)
    request.current_app = visit.site.name  # as Django's own views do
    context = {
        **visit.site.each_context(request),
        "title": TITLES[visit.act].format(shown(visit.subject)),
        "opts": {"app_label": "runbook_jobs", "app_config": {"verbose_name": "Jobs"}},
        "links": links,
        "back": visit.back,
        "subject": f"Run {visit.subject}" if visit.on_run else visit.subject,
        **more,
    }
    template = "admin/runbook_jobs/acts/act.html"
    answer = TemplateResponse(request, template, context, status=status)
    answer["Cache-Control"] = "no-store"  # it holds the token of one act
    return answer
