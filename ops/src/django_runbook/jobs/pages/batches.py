"""The page of the rows that a run changed, batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_runbook.jobs.errors import BrokenLedgerError
from django_runbook.jobs.ledger.reading.details import details
from django_runbook.jobs.ledger.reading.said import Said, said, said_of_row
from django_runbook.jobs.models import Batch
from django_runbook.jobs.pages.links import Links, Rows, rows_of
from django_runbook.jobs.pages.run import Related
from django_runbook.jobs.pages.words import when
from django_runbook.jobs.report.details import BROKEN, change_text
from django_runbook.text.cleaning import one_line

#: Batches of a page, and rows of a batch that are listed.
PAGE, ROWS = 5, 200


@dataclass(frozen=True, kw_only=True)
class RowShown:
    """A row by its key, its page where there is one, and its fields where the batch kept them."""

    key: str
    address: str
    was: Sequence[str]
    to: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class BatchShown:
    """A batch: when it was committed, how many rows it changed, and which."""

    number: str
    at: SafeString
    changed: str
    rows: Sequence[RowShown]
    more: str
    broken: str


@dataclass(frozen=True, kw_only=True)
class BatchesPage:
    """Some batches of a run, its change, who undid it, and where the next ones are."""

    number: str
    job: str
    change: str
    kept: Sequence[str]
    undone_by: Sequence[Related]
    batches: Sequence[BatchShown]
    begins: bool
    after: str


def batches_page(site: AdminSite, request: HttpRequest, pk: int, after: int) -> BatchesPage:
    """Return the batches of a run behind a number. Raises ``UnknownRunError`` for no run."""
    found, links = details(pk), Links(site.name)
    change = said(found.change)
    rows = rows_of(site, request, change.model if change else "")
    kept = change.kept if change and rows.seen else ()
    coming = Batch.objects.filter(run=pk, number__gt=after).order_by("number")
    coming = coming.select_related("run").defer("run__output", *(() if kept else ("old", "new")))
    some = list(coming[: PAGE + 1])
    undone = [Related(f"run {each}", links.run(each)) for each in found.state.undone_by]
    return BatchesPage(
        number=str(pk),
        job=one_line(found.state.job),
        change=one_line(change_text(found.change)),
        kept=tuple(map(one_line, kept)),
        undone_by=undone,
        batches=tuple(_shown(batch, rows, kept) for batch in some[:PAGE]),
        begins=after <= 0,
        after=str(some[PAGE - 1].number) if len(some) > PAGE else "",
    )


def _shown(batch: Batch, rows: Rows, kept: Sequence[str]) -> BatchShown:
    try:
        ids, broken = batch.ids, ""
    except BrokenLedgerError:
        ids, broken = [], BROKEN
    more = len(ids) - ROWS
    return BatchShown(
        number=f"{batch.number:,}",
        at=when(batch.finished),
        changed=f"{batch.changed:,}",
        rows=tuple(_row(batch, place, key, rows, kept) for place, key in enumerate(ids[:ROWS])),
        more=f"and {more:,} more" if more > 0 else "",
        broken=broken,
    )


def _row(batch: Batch, place: int, key: Any, rows: Rows, kept: Sequence[str]) -> RowShown:
    known: Said | None = said_of_row(batch, place) if kept else None
    return RowShown(
        key=one_line(key),
        address=rows.address(key),
        was=tuple(_value(known.was, name) for name in kept) if known else (),
        to=tuple(_value(known.to, name) for name in kept) if known else (),
    )


def _value(values: Any, name: str) -> str:
    return one_line(values[name]) if name in values else BROKEN
