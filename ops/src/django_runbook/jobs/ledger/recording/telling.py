"""Tells those outside of one run: its heartbeat, Sentry, and who looks after the jobs."""

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Thread, Timer

from django.db import Error

from django_runbook.config import Job
from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.notify import notices, pings
from django_runbook.jobs.notify.monitor import Monitor
from django_runbook.jobs.notify.notices import Notice, Ways

TELL: dict[str, Callable[..., list[str]]] = {
    Status.SUCCEEDED: pings.succeeded,
    Status.FAILED: pings.failed,
    Status.REFUSED: pings.failed,
}
WORDS: dict[str, str] = {
    Status.FAILED: "failed",
    Status.REFUSED: "was refused",
    Status.LOST: "was lost: its heartbeat stopped",
}


class Telling:
    """Tells of one run: that it began, that it takes too long, and how it ended.

    An undo is not the job that a watcher waits for, and is told of to nobody. What could not be
    told becomes a warning of the run, and nothing else.
    """

    def __init__(self, job: Job, run: Run) -> None:
        self._job, self._run = job, run
        self._to = Ways()
        self._before: Run | None = None
        self._warnings: list[str] = []
        self._first = Thread(target=self._start, daemon=True)
        self._slow: Timer | None = None

    def begins(self) -> None:
        """Tell, beside the work: a watcher that hangs must hold nothing up.

        A run that was lost could tell nobody: the next one does.
        """
        if self._run.undoes_id:
            return
        self._to = notices.ways()
        with suppress(Error):
            self._look_back()
        with suppress(RuntimeError):  # the system gives no more threads
            self._first.start()
            if self._slow:
                self._slow.start()

    def ended(self, status: Status, *, note: str, seconds: float) -> list[str]:
        """Tell how the run came out: success only of what succeeded. Return the warnings.

        A run that was stopped says nothing: its next one will, or the watcher misses it.
        """
        if self._slow:
            self._slow.cancel()
        tell = None if self._run.undoes_id else TELL.get(status)
        if tell is None:
            return self._warnings
        if self._first.ident is not None:
            self._first.join()
        beside = {}
        if notice := self._notice(status):
            beside = notices.errands_of(notice, self._to)
        said = tell(self._monitor(), note=note, seconds=seconds, beside=beside)
        return [*self._warnings, *said]

    def _look_back(self) -> None:
        """Read what the notices need, while the database is there."""
        if not self._to:
            return
        self._before = outcomes.before(self._run)
        if (usual := outcomes.usual(self._job.name)) is not None:
            after = outcomes.too_long(usual).total_seconds()
            self._slow = Timer(after, self._tell_slow)
            self._slow.daemon = True

    def _start(self) -> None:
        beside = {}
        if self._before and self._before.status == Status.LOST:
            beside = notices.errands_of(_ended(self._before, Status.LOST), self._to)
        self._warnings += pings.started(self._monitor(), beside=beside)

    def _tell_slow(self) -> None:
        notice = _of(self._run, "slow", "is slow: it takes three times its usual time")
        self._warnings += notices.tell(notice, self._to)

    def _notice(self, status: Status) -> Notice | None:
        """Return what to say of the end: a bad one, and the first good one after it."""
        if status != Status.SUCCEEDED:
            return _ended(self._run, status)
        bad = self._before
        if bad is None or bad.status not in outcomes.BAD or not outcomes.settles(self._run, bad):
            return None
        return _of(self._run, "recovered", f"succeeded; before it run {bad.pk} {WORDS[bad.status]}")

    def _monitor(self) -> Monitor:
        job = self._job
        return Monitor(
            job=job.name,
            run=self._run.token,
            url=os.environ.get(job.heartbeat) if job.heartbeat else None,
            cron=job.cron,
            timezone=job.timezone,
            timeout_minutes=job.timeout_minutes,
            grace_hours=job.grace_hours,
        )


def _ended(run: Run, status: Status) -> Notice:
    return _of(run, status.lower(), WORDS[status])


def _of(run: Run, event: str, how: str) -> Notice:
    """Return a notice of one run; why it came out so stands in the ledger alone."""
    slot = f", for the slot {run.slot:%Y-%m-%dT%H:%MZ}," if run.slot else ""
    first = f"{run.job}: run {run.pk}{slot} {how}"
    return Notice(
        event=event,
        job=run.job,
        run=run.pk,
        lines=(first, f"Run by {run.who}.", f"inv jobs.show {run.pk}"),
    )
