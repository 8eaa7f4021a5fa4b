"""The page of a run: how far it is, everything about it, and the rows that it could not change."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_runbook.jobs.ledger.reading.details import RunDetails
from django_runbook.jobs.ledger.reading.said import said
from django_runbook.jobs.models import FailedRow, Run, Status
from django_runbook.jobs.pages.admin_log import Entry, entries
from django_runbook.jobs.pages.links import Links, Rows, rows_of
from django_runbook.jobs.pages.words import ago, timed, when
from django_runbook.jobs.report.details import next_step, run_facts
from django_runbook.jobs.report.formats import duration, second
from django_runbook.jobs.watch.progress import RunProgress, progress
from django_runbook.text.cleaning import clean, one_line

#: How often a page asks for what moves while a run is under way, in seconds.
OFTEN = 2
#: Rows that could not be changed, of those that the page shows.
SHOWN = 50
#: Facts that stand elsewhere on the page.
ELSEWHERE = ("run", "status", "next")
#: Those that move, and stand above while a run is under way.
MOVES = ("heartbeat", "took", "due", "changed", "failed", "batches")


@dataclass(frozen=True)
class Related:
    """Another page that a run leads to."""

    text: str
    address: str


@dataclass(frozen=True)
class FailedShown:
    """A row that could not be changed; its page, where there is one; and what was said."""

    key: str
    address: str
    error: str
    at: SafeString


@dataclass(frozen=True, kw_only=True)
class Moving:
    """How far a run is, in words; ``share`` is between 0 and 1, or empty where nobody knows."""

    share: str
    texts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """Everything about a run, as it is shown."""

    number: str
    status: Status
    reason: str
    job: str
    facts: Mapping[str, SafeString]
    next: str
    related: Sequence[Related]
    moving: Moving | None
    output: str
    failed: Sequence[FailedShown]
    more: str
    batches: str
    live: str
    home: str
    delete: str
    log: Sequence[Entry]
    now: str
    every: int = OFTEN


def run_page(
    site: AdminSite,
    request: HttpRequest,
    found: RunDetails,
    now: datetime.datetime,
    *,
    deletable: bool,
) -> RunPage:
    """Return the page of a run at ``now`` (aware)."""
    run, links = found.state, Links(site.name)
    pk = run.run
    facts = run_facts(found)
    going = run.status == Status.RUNNING
    hidden = (*ELSEWHERE, *MOVES) if going else ELSEWHERE
    failed = _failed(pk, rows_of(site, request, _model(found))) if found.failed else ()
    more = found.failed - len(failed)
    return RunPage(
        number=str(run.run),
        status=Status(run.status),
        reason=one_line(run.reason),
        job=one_line(run.job),
        facts={name: timed(text) for name, text in facts.items() if name not in hidden},
        next=facts.get("next", ""),
        related=tuple(_related(found, links)),
        moving=moving(progress(pk, now), now) if going else None,
        output=clean(found.output),
        failed=failed,
        more=f"and {more:,} more: inv jobs.show {pk} --failed" if more > 0 else "",
        batches=links.batches(pk) if run.batches and _model(found) else "",
        live=links.run_live(pk),
        home=links.job(run.job),
        delete=links.delete(pk) if deletable else "",
        log=entries(Run, str(pk)),
        now=second(now),
    )


def moving(found: RunProgress, now: datetime.datetime) -> Moving:
    """Return how far a run is at ``now`` (aware)."""
    of = "" if found.due is None else f" of {found.due:,}"
    failed = f", {found.failed:,} could not be changed" if found.failed else ""
    asked = f", asked to end {ago(found.stop_asked, now)}" if found.stop_asked else ""
    texts = {
        "rows": f"{found.changed:,}{of} row(s){failed}",
        "share": "" if found.share is None else f"{found.share:.0%}",
        "batches": f"{found.batches:,}",
        "rate": "-" if found.rate is None else f"{found.rate:,.0f} rows a second",
        "left": "-" if found.left is None else f"about {duration(found.left)}",
        "lasts": f"{duration(found.seconds)}{asked}",
        "heartbeat": ago(found.heartbeat, now),
    }
    return Moving(share="" if found.share is None else f"{found.share:.4f}", texts=texts)


def run_live(pk: int, now: datetime.datetime) -> dict[str, Any]:
    """Return what the page's script asks for. Raises ``UnknownRunError`` for none."""
    found = progress(pk, now)
    shown = moving(found, now)
    return {
        "stamp": found.status,
        "every": OFTEN,
        "texts": shown.texts,
        "values": {"share": float(shown.share) if shown.share else None},
    }


def _model(found: RunDetails) -> str:
    known = said(found.change)
    return known.model if known else ""


def _failed(pk: int, rows: Rows) -> tuple[FailedShown, ...]:
    return tuple(
        FailedShown(one_line(row.key), rows.address(row.key), one_line(row.error), when(row.at))
        for row in FailedRow.objects.filter(run=pk).order_by("pk")[:SHOWN]
    )


def _related(found: RunDetails, links: Links) -> Sequence[Related]:
    run = found.state
    known = [Related(f"Job {one_line(run.job)}", links.job(run.job))]
    if run.continues:
        known.append(Related(f"Goes on from run {run.continues}", links.run(run.continues)))
    if run.undoes:
        known.append(Related(f"Undoes run {run.undoes}", links.run(run.undoes)))
    known += [Related(f"Undone by run {pk}", links.run(pk)) for pk in run.undone_by]
    if found.settled_by and next_step(found):
        known.append(Related(f"Made good by run {found.settled_by}", links.run(found.settled_by)))
    if found.ci_url.startswith(("https://", "http://")):
        known.append(Related("Its run in CI", found.ci_url))
    return [one for one in known if one.address]
