"""The history of a job: its runs as a table with filters, and as bars."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.safestring import SafeString

from django_runbook.jobs.ledger.reading.history import Length, RunState, history_page
from django_runbook.jobs.models import Status
from django_runbook.jobs.pages import svg
from django_runbook.jobs.pages.links import Links
from django_runbook.jobs.pages.words import number, timed, when
from django_runbook.jobs.report.formats import duration
from django_runbook.jobs.report.tables import notes
from django_runbook.text.cleaning import one_line

#: Runs of a page.
PAGE = 25


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run as the history shows it."""

    number: str
    address: str
    status: Status
    started: SafeString
    took: str
    due: str
    changed: str
    batches: str
    notes: SafeString


@dataclass(frozen=True, kw_only=True)
class History:
    """Some runs, newest first, what they were filtered by, and where older ones are."""

    runs: Sequence[RunRow]
    statuses: Sequence[Status]
    status: str
    since: str
    until: str
    older: str
    newest: str

    @property
    def filtered(self) -> bool:
        """Whether not all runs are shown."""
        return bool(self.status or self.since or self.until)


def history_shown(job: str, asked: Mapping[str, str], links: Links) -> History:
    """Return the runs that an address asks for; what it holds that is wrong filters nothing."""
    status = asked.get("status", "")
    status = status if status in Status.values else ""
    since, until = _day(asked.get("from", "")), _day(asked.get("until", ""))
    before = number(asked.get("before"))
    found = history_page(
        job,
        status=status or None,
        since=_at(since, datetime.time.min),
        until=_at(until, datetime.time.max),
        before=before,
        count=PAGE,
    )
    kept = {"status": status, "from": _spelt(since), "until": _spelt(until)}
    return History(
        runs=tuple(_row(run, links) for run in found.runs),
        statuses=tuple(Status),
        status=status,
        since=kept["from"],
        until=kept["until"],
        older=_query({**kept, "before": found.before}) if found.before is not None else "",
        newest=_query(kept) if before is not None else "",
    )


def charts(lengths: Sequence[Length], usual: datetime.timedelta | None) -> tuple[svg.Chart, ...]:
    """Return how long runs took, and how many rows they changed, where any did."""
    took = [svg.Point(one.run, one.started, one.status, max(one.seconds, 0.0)) for one in lengths]
    rows = [svg.Point(one.run, one.started, one.status, one.changed) for one in lengths]
    found = (
        svg.chart("Duration", took, duration, usual.total_seconds() if usual else None),
        svg.chart("Rows changed", rows, _count) if any(one.changed for one in lengths) else None,
    )
    return tuple(one for one in found if one)


def _row(run: RunState, links: Links) -> RunRow:
    return RunRow(
        number=str(run.run),
        address=links.run(run.run),
        status=Status(run.status),
        started=when(run.started),
        took=duration(run.seconds),
        due="" if run.due is None else f"{run.due:,}",
        changed=f"{run.changed:,}",
        batches=f"{run.batches:,}",
        notes=timed(one_line("; ".join(notes(run)))),
    )


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _day(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def _at(day: datetime.date | None, time: datetime.time) -> datetime.datetime | None:
    return datetime.datetime.combine(day, time, datetime.UTC) if day else None


def _spelt(day: datetime.date | None) -> str:
    return day.isoformat() if day else ""


def _query(values: Mapping[str, object]) -> str:
    """Return the end of an address that asks for the same, and more."""
    return f"?{urlencode({name: value for name, value in values.items() if value})}"
