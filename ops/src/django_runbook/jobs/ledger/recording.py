"""Keeps the books of one run, however it ends."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction

from django_runbook.config import Job
from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.faults import one_line, patiently
from django_runbook.jobs.errors import FailedError, FencedError, RefusedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.notify import pings
from django_runbook.schema.secrets import masked

SOON = 0.5  # seconds, within which the run of a command that must end is closed, or not
TELL = {
    Status.SUCCEEDED: pings.succeeded,
    Status.FAILED: pings.failed,
    Status.REFUSED: pings.failed,
}


class Recording:
    """A run that is being recorded; whoever works on it says how it came out.

    ``warnings`` are lines for the edge to print: what went wrong beside the job.
    """

    def __init__(self, job: Job, run: Run) -> None:
        self.job, self.run = job, run
        self.status = Status.SUCCEEDED
        self.reason = ""
        self.output = ""
        #: Whether the command has removed its own row: then there is nothing to close.
        self.removed = False
        self.warnings: list[str] = []
        self._start = time.monotonic()
        self._first = threading.Thread(target=self._tell_start, daemon=True)

    def says(self, status: Status, reason: str) -> None:
        """Take down how the run came out."""
        self.status, self.reason = status, masked(reason)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._start

    def begins(self) -> None:
        """Tell the heartbeats, beside the work: a watcher that hangs must hold nothing up."""
        if not self.run.undoes_id:  # an undo is not the job that a watcher waits for
            self._first.start()

    def ended(self) -> None:
        """Tell the heartbeats how the run came out: success only of what succeeded.

        A run that was stopped says nothing: its next one will, or the watcher misses it.
        """
        tell = None if self.run.undoes_id else TELL.get(self.status)
        if tell:
            self._first.join()
            note = self.output or self.reason
            self.warnings += tell(_monitor(self), note=note, seconds=self.seconds)

    def _tell_start(self) -> None:
        self.warnings += pings.started(_monitor(self))


@contextmanager
def recorded(job: Job, order: Order, **values: Any) -> Iterator[Recording]:
    """Open a run, yield its recording, and close it; tell the heartbeats.

    Inside another command's run (``order.inside``) that run is used, and its own command closes
    it. Raises what ``open_run`` raises, and ``FailedError`` in place of a database error, with
    what stays done.
    """
    if order.inside is not None:
        recording = Recording(job, Run.objects.get(pk=order.inside))
        try:
            with _told(recording):
                yield recording
        finally:
            _quietly(
                recording, lambda run: Run.objects.filter(pk=run.pk).update(reason=recording.reason)
            )
        return
    recording = Recording(job, runs.open_run(job, order, **values))
    recording.begins()
    try:
        with _told(recording):
            yield recording
    finally:
        _close(recording)


@contextmanager
def _told(recording: Recording) -> Iterator[None]:
    """Take down how the body ends."""
    run = recording.run
    try:
        yield
    except RefusedError as refusal:
        recording.says(Status.REFUSED, str(refusal))
        raise
    except FencedError as error:
        recording.says(Status.LOST, str(error))
        raise FailedError(f"{error} {_kept(run)}") from error
    except Error as error:
        recording.says(Status.FAILED, one_line(error))
        raise FailedError(
            f"Run {run.pk} of {run.job} failed: {one_line(error)}. {_kept(run)}"
        ) from error
    except KeyboardInterrupt:
        recording.says(Status.STOPPED, "interrupted")
        raise
    except BaseException as error:
        recording.says(Status.FAILED, f"{type(error).__name__}: {one_line(error)}")
        raise


def _kept(run: Run) -> str:
    what = "another undo" if run.undoes_id else "the next run"
    return f"{run.changed:,} changed row(s) stay changed; {what} goes on."


def _close(recording: Recording) -> None:
    """Close the run, and tell the heartbeats: not of one that was taken for lost meanwhile."""
    ended = (recording.status, recording.reason, recording.output)
    if recording.removed:
        recording.warnings.append(
            f"Run {recording.run.pk} is not in the ledger: {recording.job.name} has removed it."
        )
    elif _quietly(recording, lambda run: runs.close(run, *ended)) is False:
        recording.says(Status.LOST, "it was taken for lost before it was closed")
        recording.warnings.append(f"Run {recording.run.pk}: {recording.reason}.")
    recording.ended()


def _quietly(recording: Recording, write: Callable[[Run], object]) -> object:
    """Write to the ledger; a database that is gone must not hide how the run came out: None.

    What succeeded is worth waiting for. What was stopped must end soon, and what failed has waited.
    """
    run = recording.run
    connection = connections[run._state.db or DEFAULT_DB_ALIAS]
    succeeded = recording.status == Status.SUCCEEDED
    lock_seconds = None if succeeded else SOON

    def written() -> object:
        timeouts.before(connection, lock_seconds)
        with transaction.atomic(using=connection.alias):
            timeouts.inside(connection, lock_seconds)
            return write(run)

    try:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        return patiently(connection, written, None if succeeded else SOON)
    except Error as error:
        recording.warnings.append(f"Run {run.pk} could not be closed: {one_line(error)}.")
        return None
    finally:
        with suppress(Error):
            timeouts.after(connection)


def _monitor(recording: Recording) -> pings.Monitor:
    job = recording.job
    return pings.Monitor(
        job=job.name,
        run=recording.run.token,
        url=os.environ.get(job.heartbeat) if job.heartbeat else None,
        cron=job.cron,
        timezone=job.timezone,
        timeout_minutes=job.timeout_minutes,
        grace_hours=job.grace_hours,
    )
