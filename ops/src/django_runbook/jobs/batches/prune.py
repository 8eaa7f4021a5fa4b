"""Removes the runs that the ledger need not keep, in small transactions; a job like any other."""

import datetime
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import QuerySet

from django_runbook.jobs.batches.loop import Pace, Progress, Watch
from django_runbook.jobs.batches.opening import opened
from django_runbook.jobs.batches.stopping import Stop, breakable
from django_runbook.jobs.ledger import retention
from django_runbook.jobs.ledger.heart import fence
from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.registry import job as declared_job

JOB = "prune_runs"
#: Runs, or batches, of one transaction: each may hold thousands of keys, and what the rows were.
LARGEST = retention.TOGETHER


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is old: runs that go, and those that stay because something stands on them.

    ``half_undone`` stay until their undo has come to its end, and later runs of their rows as well.
    """

    before: datetime.datetime
    due: int = 0
    needed: int = 0
    half_undone: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """How a run came out: ``removed`` runs of those due, and ``batches`` of them and of others."""

    run: int
    status: str
    removal: Removal
    removed: int
    batches: int
    seconds: float
    reason: str
    warnings: tuple[str, ...]


def preview_prune(before: datetime.datetime) -> Removal:
    """Say which runs would go that ended before a time (aware); write nothing."""
    return _found(before, retention.expired(before), retention.all_needed())


def prune_runs(
    before: datetime.datetime,
    *,
    order: Order | None = None,
    stop: Stop | None = None,
    watch: Watch | None = None,
) -> PruneResult:
    """Remove the runs that ended before a time (aware), but for those that something stands on.

    First their batches, the oldest first, for then none of them can be undone in part; then they
    themselves. Raises what ``opened`` raises.
    """
    stop = stop or Stop()
    found, batches = Removal(before=before), 0
    with opened(declared_job(JOB), order or Order(), stop) as recording:
        work = _Pruning(recording.run, stop, watch)
        found = work.look(before)
        batches = work.remove_batches() + work.remove_batches(undos=True)
        work.remove_runs()
        if stop.reason:
            recording.says(Status.STOPPED, stop.reason)
    return PruneResult(
        run=recording.run.pk,
        status=recording.status,
        removal=found,
        removed=recording.run.changed,
        batches=batches,
        seconds=round(recording.seconds, 3),
        reason=recording.reason,
        warnings=tuple(recording.warnings),
    )


def _found(before: datetime.datetime, expired: QuerySet[Run], needed: Collection[int]) -> Removal:
    kept = set(expired.filter(pk__in=needed).values_list("pk", flat=True))
    undos = queries.undos()
    undone = set(expired.filter(pk__in=undos.values("undoes")).values_list("pk", flat=True))
    return Removal(
        before=before,
        due=expired.count() - len(kept) + undos.filter(undoes__in=undone - kept).count(),
        needed=len(kept),
        half_undone=tuple(retention.half_undone(before)),
    )


class _Pruning:
    """The transactions of one run: each locks its runs, and looks once more which may go."""

    def __init__(self, run: Run, stop: Stop, watch: Watch | None) -> None:
        self.run, self.stop, self.watch = run, stop, watch
        self.connection = connections[run._state.db or DEFAULT_DB_ALIAS]
        self.expired = Run.objects.none()
        self.needed: frozenset[int] = frozenset()

    def look(self, before: datetime.datetime) -> Removal:
        """Look what is old, and write down how many runs go."""

        def looked() -> Removal:
            self.expired = retention.expired(before)
            self.needed = retention.all_needed()
            return _found(before, self.expired, self.needed)

        found = breakable(self.stop, self.connection, looked)
        self.run.due = found.due
        self.run.save(update_fields=["due"])
        return found

    def remove_batches(self, *, undos: bool = False) -> int:
        """Remove the batches of what is over: of the runs, or of their undos after that."""
        pace, removed = Pace(self.connection.alias), 0
        old = retention.with_batches(self.expired, undos=undos)
        for page in retention.pages(old, LARGEST):
            gone = 1
            while gone:
                if self.stop.reason:
                    return removed
                size, start = min(pace.size, LARGEST), time.monotonic()
                gone = self._commit(page, partial(retention.remove_batches, size=size, undos=undos))
                removed += gone
                pace.took(gone, time.monotonic() - start)
        return removed

    def remove_runs(self) -> None:
        """Remove the runs that nothing stands on, with their undos."""
        pace = Pace(self.connection.alias)
        for page in retention.pages(self.expired, LARGEST):
            rest = [pk for pk in page if pk not in self.needed]
            while rest:
                if self.stop.reason:
                    return
                start = time.monotonic()
                some, rest = rest[: pace.size], rest[pace.size :]
                gone = self._commit(some, retention.remove_runs, counted=True)
                seconds = time.monotonic() - start
                pace.took(len(some), seconds)
                self._tell(len(some), gone, seconds)

    def _commit(
        self, pks: Collection[int], remove: Callable[[list[int]], int], *, counted: bool = False
    ) -> int:
        """Remove something of runs; none that is being undone since it was looked for."""

        def commit() -> int:
            with transaction.atomic(using=self.connection.alias):
                retention.lock(pks)
                old = self.expired.filter(pk__in=pks).order_by("pk")
                gone = remove(list(old.values_list("pk", flat=True)))
                fence(self.run, changed=gone if counted else 0, batches=int(counted))
            return gone

        gone = breakable(self.stop, self.connection, commit)
        if counted:
            self.run.changed += gone
            self.run.batches += 1
        return gone

    def _tell(self, size: int, gone: int, seconds: float) -> None:
        if self.watch:
            self.watch(
                Progress(
                    batch=self.run.batches,
                    size=size,
                    changed=gone,
                    total=self.run.changed,
                    due=self.run.due or 0,
                    seconds=seconds,
                )
            )
