"""The batches of one run: each is repeated until it is committed or cannot be."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.models import QuerySet

from django_runbook.jobs.batches.rows import changes
from django_runbook.jobs.batches.rows.changes import Changed
from django_runbook.jobs.batches.rows.failures import Failures, RowError
from django_runbook.jobs.batches.rows.paging import is_unlocked
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.throttle import Throttle
from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.faults import Fault, Patience, fault
from django_runbook.jobs.ledger import leases
from django_runbook.jobs.ledger.heart import asked_to_stop, fence, keep, plain
from django_runbook.jobs.models import Run
from django_runbook.jobs.registry import Change

TARGET_SECONDS = 0.05
FIRST_SIZE = 500
SMALLEST_SIZE = 100  # where a commit alone takes long, fewer rows do not make it faster
LARGEST_SIZE = 20_000
ALONE_SECONDS = 0.05  # that rows which are changed already are held for one that another holds
LARGEST_PORTABLE = 5_000  # its ids are parameters, and SQLite takes 32,766 of them


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands after a batch; ``seconds`` is what the batch took.

    ``waits`` says why the next batch has to wait, at the beginning of a wait; empty of a batch.
    """

    batch: int
    size: int
    changed: int
    total: int
    due: int
    seconds: float
    waits: str = ""


Watch = Callable[[Progress], None]
Apply = Callable[[QuerySet[Any, Any], Change, Run, int, Failures | None], Changed]


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

    def __init__(
        self,
        run: Run,
        stop: Stop,
        watch: Watch | None,
        *,
        pace: Pace,
        failures: Failures | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self.run, self.stop, self.watch, self.pace = run, stop, watch, pace
        self.failures, self.throttle = failures, throttle
        #: Whether no row may be changed again; whether the run keeps the last key that was tried.
        self.once = self.has_cursor = False
        #: Whether nobody else was seen to change the rows; else each is locked before.
        self.alone = True
        self.connection = connections[run._state.db or DEFAULT_DB_ALIAS]
        self._stale = self._at_commit = False

    @property
    def hopeless(self) -> bool:
        """Whether so many rows in a row have failed that there is no use in going on."""
        return bool(self.failures and self.failures.hopeless)

    def batch(
        self,
        picked: Callable[[int], QuerySet[Any, Any]],
        change: Change,
        apply: Apply | None = None,
    ) -> tuple[Changed | None, int]:
        """Commit one batch and return it with its size; None where the end was asked for.

        ``apply`` does it in place of ``changes.apply``.
        """
        patience, before = Patience(), self.run.batches
        while not self.stop.reason:
            size = self.pace.size
            try:
                self._read_again()
                if self.once and self.run.batches > before:
                    return self._committed(size), size
                if self.throttle and self.throttle.holds(self.stop, self._waits):
                    return None, 0
                start = time.monotonic()
                done = self._commit(picked(size), change, apply or changes.apply)
            except (Error, RowError) as error:
                self._mend(error, patience)
                continue
            seconds = time.monotonic() - start
            self.alone = self.alone and done.changed == done.picked
            if not done.trial:
                self.pace.took(done.picked, seconds)
            if self.throttle:
                self.throttle.took(seconds)
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

    def _commit(self, picked: QuerySet[Any, Any], change: Change, apply: Apply) -> Changed:
        using = self.connection.alias
        timeouts.before(self.connection)
        self._at_commit = False
        with transaction.atomic(using=using):
            shortly = ALONE_SECONDS if is_unlocked(picked) else None
            timeouts.inside(self.connection, shortly)
            done = apply(picked, change, self.run, self.run.batches + 1, self.failures)
            written, failed = 1 if done.changed else 0, len(done.trial.found) if done.trial else 0
            cursor = done.last[-1] if self.has_cursor and done.last else None
            if (asked := done.asked) is not None:
                leases.renew(self.run)
                keep(self.run, cursor)
            else:
                fence(self.run, changed=done.changed, batches=written, failed=failed, cursor=cursor)
                asked = asked_to_stop(self.run)
            self._at_commit = True
        self.run.changed += done.changed
        self.run.batches += written
        self.run.failed += failed
        self.run.cursor = self.run.cursor if cursor is None else plain(cursor)
        if self.failures:
            self.failures.took(done.trial)
        if asked:
            self.stop.ask(asked)
        return done

    def _mend(self, error: Error | RowError, patience: Patience) -> None:
        """Make the next try possible and wait for it, or raise the error again."""
        if self.failures and self.failures.explain(error, at_commit=self._at_commit):
            return
        kind = fault(error, self.connection) if isinstance(error, Error) else None
        self.alone = False
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
            self.run.refresh_from_db(fields=["changed", "batches", "failed", "cursor"])
            self._stale = False

    def _committed(self, size: int) -> Changed:
        """Return a batch whose COMMIT went through, though nobody was there to hear the answer."""
        batch = self.run.batch_set.get(number=self.run.batches)
        last = self.run.cursor if self.has_cursor else max(batch.ids)
        return Changed(size, batch.changed, (last,))

    def _progress(self, done: Changed, size: int, seconds: float) -> Progress:
        return Progress(
            batch=self.run.batches,
            size=size,
            changed=done.changed,
            total=self.run.changed,
            due=self.run.due or 0,
            seconds=seconds,
        )

    def _waits(self, why: str) -> None:
        """Say once why the next batch has to wait."""
        if self.watch:
            nothing = Changed(0, 0, None)
            self.watch(replace(self._progress(nothing, 0, 0.0), waits=why))
