"""What the ledger says of slots: which were claimed, by which runs, and how those came out."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from django_runbook.jobs.database.clock import MOST_SKEW
from django_runbook.jobs.ledger.reading.together import AT_ONCE
from django_runbook.jobs.ledger.runs import stale
from django_runbook.jobs.ledger.slots import SETTLED
from django_runbook.jobs.models import Slot, Status

COLUMNS = ("job", "at", "run_id", "status", "began", "ended", "stale")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The slots of a job that are asked for: these, and what is done from a time up to ``now``."""

    job: str
    now: datetime.datetime
    at: Sequence[datetime.datetime] = ()
    done_since: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A slot that a run has claimed; ``run`` and the rest are None where it is not kept."""

    at: datetime.datetime
    run: int | None
    status: Status | None
    began: datetime.datetime | None
    ended: datetime.datetime | None

    @property
    def believed(self) -> bool:
        """Whether the slot had come when its run began: else a clock was wrong."""
        return self.began is None or came(self.at, self.began)

    @property
    def settled(self) -> bool:
        """Whether nobody does the slot again: it is done, or was skipped for another run."""
        return self.believed and (self.status is None or self.status in SETTLED)


def came(slot: datetime.datetime, began: datetime.datetime) -> bool:
    """Tell whether a slot had come when a run began; two clocks may differ."""
    return slot <= began + MOST_SKEW


def claims(wanted: Sequence[Wanted]) -> dict[str, Mapping[datetime.datetime, Claim]]:
    """Return what is known of slots of some jobs, by their time; one query for fifty jobs."""
    found: dict[str, dict[datetime.datetime, Claim]] = {one.job: {} for one in wanted}
    reads = [read for one in wanted for read in _reads(one)]
    for start in range(0, len(reads), AT_ONCE):
        first, *others = reads[start : start + AT_ONCE]
        rows = first.union(*others, all=True) if others else first
        for job, at, run, status, began, ended, lost in rows:
            seen = Status.LOST if lost else status and Status(status)
            found[job][at] = Claim(at=at, run=run, status=seen, began=began, ended=ended)
    return dict(found)


def _reads(wanted: Wanted) -> list[QuerySet[Slot, Any]]:
    """Return the queries for the slots of a job; each finds them by the index of a job's slots."""
    slots = Slot.objects.filter(job=wanted.job).annotate(
        status=F("run__status"),
        began=F("run__started"),
        ended=F("run__finished"),
        stale=Exists(stale().filter(pk=OuterRef("run_id"))),
    )
    reads = []
    if wanted.at:
        reads.append(slots.filter(at__in=wanted.at))
    if wanted.done_since:
        done = Q(run__status__in=SETTLED) | Q(run=None)
        reads.append(slots.filter(done, at__gt=wanted.done_since, at__lte=wanted.now))
    return [read.values_list(*COLUMNS) for read in reads]
