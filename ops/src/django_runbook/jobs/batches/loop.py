"""Moves rows from one state to another, batch by batch, beside others that do the same."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.models import F, QuerySet

from django_runbook.jobs.batches import changes
from django_runbook.jobs.batches.changes import Changed
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.database.faults import Fault, Patience, fault
from django_runbook.jobs.errors import FencedError
from django_runbook.jobs.ledger import leases
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.registry import Change

TARGET_SECONDS = 0.05
BEAT_SECONDS = 10.0
FIRST_SIZE = 500
SMALLEST_SIZE = 100  # where a commit alone takes long, fewer rows do not make it faster
LARGEST_SIZE = 20_000
LARGEST_PORTABLE = 5_000  # its ids are parameters, and SQLite takes 32,766 of them


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands after a batch; ``seconds`` is what the batch took."""

    batch: int
    size: int
    changed: int
    total: int
    due: int
    seconds: float


Watch = Callable[[Progress], None]


def transition(
    queryset: QuerySet[Any],
    *,
    was: Mapping[str, Any],
    to: Mapping[str, Any],
    run: Run,
    since: str | None = None,
    stop: Stop | None = None,
    watch: Watch | None = None,
    target_seconds: float = TARGET_SECONDS,
) -> None:
    """Change the rows of ``queryset`` from ``was`` to ``to``, in batches of one transaction each.

    ``queryset`` is of one table, and what was changed must no longer be in it. The batches follow
    ``since`` (a field with an index, the time that makes a row due) and the primary key. A first
    pass leaves out what others have locked, a second waits for it, as PostgreSQL's manual says of
    SKIP LOCKED. Their size follows ``target_seconds``. As with ``update()``, no signal is sent and
    no ``save()`` is called.

    ``run`` counts on: ``changed`` and ``batches`` are what the database has changed. It returns
    early when ``stop`` asks for it.

    Raises ``FencedError`` where another run has taken this one's place, and Django's database
    errors where neither repeating, nor halving, nor connecting again has helped.
    """
    change = Change(model=queryset.model, was=was, to=to)
    order = (since, "pk") if since else ("pk",)
    work = Work(run, stop or Stop(), watch, pace=Pace(queryset.db, target_seconds))
    try:
        for skip_locked in (True, False):
            after = None
            while not work.stop.reason:

                def picked(size: int, *, after: Any = after, skip: bool = skip_locked) -> Any:
                    return changes.pick(
                        queryset, order=order, after=after, size=size, skip_locked=skip
                    )

                done, size = work.batch(picked, change)
                if done is None or done.picked < size:
                    break
                after = done.last
    finally:
        work.end()


class Pace:
    """How many rows the next batch takes, so that it takes about ``target`` seconds."""

    def __init__(self, using: str, target: float = TARGET_SECONDS) -> None:
        portable = connections[using].vendor != "postgresql"
        self._largest = LARGEST_PORTABLE if portable else LARGEST_SIZE
        self._target = target
        self.size = FIRST_SIZE

    def took(self, picked: int, seconds: float) -> None:
        """Learn from a full batch; the size at most doubles or halves."""
        if picked == self.size:
            factor = min(2.0, max(0.5, self._target / max(seconds, 1e-6)))
            floor = min(self.size, SMALLEST_SIZE)
            self.size = min(self._largest, max(floor, round(self.size * factor)))

    def halve(self) -> None:
        """Learn from a statement that took too long."""
        self.size = max(1, self.size // 2)


class Work:
    """The batches of one run: each is repeated until it is committed or cannot be."""

    def __init__(self, run: Run, stop: Stop, watch: Watch | None, *, pace: Pace) -> None:
        self.run, self.stop, self.watch, self.pace = run, stop, watch, pace
        self.connection = connections[run._state.db or DEFAULT_DB_ALIAS]
        self._stale = False
        self._beaten = time.monotonic()

    def batch(
        self, picked: Callable[[int], QuerySet[Any, Any]], change: Change
    ) -> tuple[Changed | None, int]:
        """Commit one batch and return it with its size; None where the end was asked for."""
        patience = Patience()
        while not self.stop.reason:
            size, start = self.pace.size, time.monotonic()
            try:
                self._read_again()
                self._beat()
                done = self._commit(picked(size), change)
            except Error as error:
                self._mend(error, patience)
                continue
            seconds = time.monotonic() - start
            self.pace.took(done.picked, seconds)
            if self.watch and done.picked:
                self.watch(self._progress(done, size, seconds))
            return done, size
        return None, 0

    def end(self) -> None:
        """Leave the session as it was."""
        try:
            self._read_again()
            timeouts.after(self.connection)
        except Error:
            self.connection.close()

    def _commit(self, picked: QuerySet[Any, Any], change: Change) -> Changed:
        using = self.connection.alias
        timeouts.before(self.connection)
        with transaction.atomic(using=using):
            timeouts.inside(self.connection)
            done = changes.apply(picked, change, self.run, self.run.batches + 1)
            written = 1 if done.changed else 0
            if done.counted:
                leases.renew(self.run)
            else:
                fence(self.run, changed=done.changed, batches=written)
        self.run.changed += done.changed
        self.run.batches += written
        self._beaten = time.monotonic()
        return done

    def _beat(self) -> None:
        """Beat the heart of a run that waits; its tries beat nothing, for they are rolled back."""
        if time.monotonic() - self._beaten > BEAT_SECONDS:
            fence(self.run)
            self._beaten = time.monotonic()

    def _mend(self, error: Error, patience: Patience) -> None:
        """Make the next try possible and wait for it, or raise the error again."""
        kind = fault(error, self.connection)
        wait = patience.next()
        if kind is None or wait is None:
            raise error
        if kind is Fault.HALVE:
            self.pace.halve()
        self.stop.wait(wait)
        if kind is Fault.RECONNECT:
            self.connection.close()
            self._stale = True

    def _read_again(self) -> None:
        """Go on from the ledger, if the connection has broken: perhaps behind a commit."""
        if self._stale:
            self.run.refresh_from_db(fields=["changed", "batches"])
            self._stale = False

    def _progress(self, done: Changed, size: int, seconds: float) -> Progress:
        return Progress(
            batch=self.run.batches,
            size=size,
            changed=done.changed,
            total=self.run.changed,
            due=self.run.due or 0,
            seconds=seconds,
        )


def fence(run: Run, *, changed: int = 0, batches: int = 0) -> None:
    """Count a batch and beat the heart of a run, if it is still this process that runs it.

    In the batch's own transaction, so that a run that was taken for lost changes nothing more.
    Raises ``FencedError``.
    """
    alive = Run.objects.using(run._state.db).filter(pk=run.pk, status=Status.RUNNING)
    moved = alive.update(
        changed=F("changed") + changed, batches=F("batches") + batches, heartbeat=Now()
    )
    if not moved:
        raise FencedError(f"{run.job}: run {run.pk} was taken for lost; another goes on.")
    leases.renew(run)
