"""Keeps the books of one run, however it ends."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction

from django_runbook.config import Job
from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.faults import PATIENCE, fault, one_line, patiently
from django_runbook.jobs.errors import FailedError, FencedError, RefusedError, StoppedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.recording import rebuilt
from django_runbook.jobs.ledger.recording.around import adopt, around
from django_runbook.jobs.ledger.recording.telling import Telling
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.schema.database.files import require_file
from django_runbook.schema.secrets import masked
from django_runbook.text.cleaning import LONGEST, cut, escaped

UNWRITTEN = "(what it said could not be written)"
SOON = 0.5  # seconds, within which the run of a command that must end is closed, or not


class Recording:
    """A run that is being recorded; whoever works on it says how it came out.

    ``warnings`` are lines for the edge to print: what went wrong beside the job.
    """

    def __init__(self, job: Job, run: Run) -> None:
        self.job, self.run = job, run
        self.status = Status.SUCCEEDED
        self.reason = ""
        self.output = ""
        #: Its number at first: a ledger that was rebuilt gives it another.
        self.number = run.pk
        #: Whether the ledger knows how the run ended.
        self.closed = False
        #: Whether the end was asked for: then what is to be written is waited for no longer.
        self.hurries: Callable[[], bool] = lambda: False
        self.warnings: list[str] = []
        self._start = time.monotonic()
        self._telling = Telling(job, run)

    def says(self, status: Status, reason: str) -> None:
        """Take down how the run came out; no secret is cut before it is masked."""
        self.status, self.reason = status, cut(masked(reason[: 2 * LONGEST]))

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._start

    def begins(self) -> None:
        """Tell those outside, beside the work."""
        self._telling.begins()

    def ended(self) -> None:
        """Tell those outside how the run came out."""
        note = self.output or self.reason
        self.warnings += self._telling.ended(self.status, note=note, seconds=self.seconds)


@contextmanager
def recorded(job: Job, order: Order, **values: Any) -> Iterator[Recording]:
    """Open a run, yield its recording, and close it; tell the heartbeats.

    Inside a run of the same job (``order.inside``) that run is used, where it is free, and its own
    command closes it. Raises what ``open_run`` raises, and ``FailedError`` in place of a database
    error, with what stays done.
    """
    found = around(job.name, order)
    if found.run and adopt(found.run, order, values):
        with _lent(Recording(job, found.run)) as recording:
            yield recording
        return
    if found.alone:  # what the runs of the job share is held by the one around this
        job, order = replace(job, overlap="share"), replace(order, slot=None)
    recording = Recording(job, _opened(job, order, values))
    recording.warnings += [found.note] if found.note else []
    recording.begins()
    try:
        with _told(recording):
            yield recording
    finally:
        _close(recording)


def _opened(job: Job, order: Order, values: dict[str, Any]) -> Run:
    """Open a run; one that is refused at once is told of as any other."""
    try:
        return runs.open_run(job, order, **values)
    except RefusedError as refusal:
        if refusal.refused:
            recording = Recording(job, refusal.refused)
            recording.begins()
            recording.says(Status.REFUSED, str(refusal))
            recording.ended()
        raise


@contextmanager
def _lent(recording: Recording) -> Iterator[Recording]:
    """Yield the recording of a run that another closes; tell that one why it came out so."""
    try:
        with _told(recording):
            yield recording
    finally:
        mine = Run.objects.using(recording.run._state.db).filter(token=recording.run.token)
        _quietly(recording, lambda reason, _output: mine.update(reason=reason))


@contextmanager
def _told(recording: Recording) -> Iterator[None]:
    """Take down how the body ends."""
    run = recording.run
    try:
        yield
    except RefusedError as refusal:
        recording.says(Status.REFUSED, str(refusal))
        raise
    except StoppedError as stopped:
        recording.says(Status.STOPPED, str(stopped))
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
    """Close the run, and tell the heartbeats: not of one that was taken for lost meanwhile.

    Where the ledger has lost the run, it is written again, closed.
    """
    run, status = recording.run, recording.status

    def close(reason: str, output: str) -> bool:
        if runs.close(run, status, reason, output):
            return True
        if rebuilt.is_there(run):
            return False
        rebuilt.write_again(run)
        return runs.close(run, status, reason, output)

    recording.closed = bool(closed := _quietly(recording, close))
    if closed is False:
        recording.says(Status.LOST, "it was taken for lost before it was closed")
        recording.warnings.append(f"Run {run.pk}: {recording.reason}.")
    elif run.pk != recording.number:
        recording.warnings.append(
            f"{run.job} removed run {recording.number} from the ledger; it was written again, as "
            f"run {run.pk}."
        )
    recording.ended()


def _quietly(recording: Recording, write: Callable[[str, str], object]) -> object:
    """Write how the run came out; a database that is gone must not hide it: None.

    What succeeded is worth waiting for. What was stopped must end soon, and what failed has waited.
    Where the text is what cannot be written, because of the database's encoding or of its length,
    its characters are escaped, and then it is left out.
    """
    run = recording.run
    connection = connections[run._state.db or DEFAULT_DB_ALIAS]
    said: str = ""
    try:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        for reason, output in _texts(recording):
            try:
                return _patiently(recording, connection, partial(write, reason, output))
            except (Error, ValueError) as error:  # the driver's own, where it encodes the text
                if isinstance(error, Error) and fault(error, connection) is not None:
                    raise
                said = said or one_line(error)
    except Error as error:
        said = one_line(error)
    finally:
        with suppress(Error):
            timeouts.after(connection)
    recording.warnings.append(f"Run {run.pk} could not be closed: {said.rstrip('.')}.")
    return None


def _texts(recording: Recording) -> Iterator[tuple[str, str]]:
    """Yield the reason and the output, as they are and in ways that more databases can keep."""
    yield recording.reason, recording.output
    yield escaped(recording.reason), escaped(recording.output)
    yield UNWRITTEN, ""


def _patiently(recording: Recording, connection: Any, write: Callable[[], object]) -> object:
    """Write in a transaction of its own, with short waits, until the end is asked for."""
    lock_seconds = None if recording.status == Status.SUCCEEDED else SOON

    def written() -> object:
        require_file(connection)  # which the command may have removed
        timeouts.before(connection, lock_seconds)
        with transaction.atomic(using=connection.alias):
            timeouts.inside(connection, lock_seconds)
            return write()

    end = time.monotonic() + (0 if lock_seconds else PATIENCE)
    while True:
        try:
            return patiently(connection, written, SOON)
        except Error as error:
            hurries = recording.hurries() or time.monotonic() >= end
            if hurries or connection.in_atomic_block or fault(error, connection) is None:
                raise
