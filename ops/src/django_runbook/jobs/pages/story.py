"""The page of a row's story: why a run of a job did or did not change it."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_runbook.jobs.pages.links import Links, Rows, rows_of
from django_runbook.jobs.pages.words import timed
from django_runbook.jobs.registry import Transition, transitions
from django_runbook.jobs.report.details import story_lines
from django_runbook.jobs.watch.explanations import Story, explain
from django_runbook.text.cleaning import one_line, storable


@dataclass(frozen=True)
class Line:
    """A line of a story, and the page of the run that it begins with, if any."""

    text: SafeString
    address: str


@dataclass(frozen=True, kw_only=True)
class StoryPage:
    """What was asked, and the story, or a sentence where there is no such row."""

    job: str
    asked: str
    row: str
    address: str
    lines: Sequence[Line]
    error: str


def story_page(
    site: AdminSite, request: HttpRequest, name: str, now: datetime.datetime
) -> StoryPage | None:
    """Return the story of the row that is asked for, at ``now`` (aware).

    None where the job explains no row. Raises ``PermissionDenied`` for whoever may not see the
    rows of its model: a story tells of them.
    """
    moved = transitions().get(name)
    if moved is None or moved.explain is None:
        return None
    rows = rows_of_job(site, request, moved)
    if not rows.seen:
        raise PermissionDenied
    asked = storable(request.GET.get("row", "").strip())
    story, error = None, ""
    try:
        story = explain(moved, asked, now) if asked else None
    except LookupError as unknown:
        error = one_line(unknown)
    return StoryPage(
        job=one_line(name),
        asked=asked,
        row=one_line(f"{story.model} {story.pk}") if story else "",
        address=rows.address(story.pk) if story else "",
        lines=tuple(_lines(story, Links(site.name))) if story else (),
        error=error,
    )


def rows_of_job(site: AdminSite, request: HttpRequest, moved: Transition) -> Rows:
    """Return what a user may see of the rows of a job."""
    return rows_of(site, request, moved.everyone().model._meta.label_lower)


def _lines(story: Story, links: Links) -> Sequence[Line]:
    """Return the lines: the app's own come first, then one for each change, which is a run's."""
    first = len(story.lines)
    runs = dict(enumerate((links.run(change.run) for change in story.changes), first))
    return [Line(timed(text), runs.get(place, "")) for place, text in enumerate(story_lines(story))]
