"""Runs any management command as a job: in a process of its own, recorded and watched."""

import datetime
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

from django.db import DEFAULT_DB_ALIAS, Error, connections

from django_runbook.config import Job
from django_runbook.jobs.batches.loop import fence
from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.faults import one_line
from django_runbook.jobs.errors import FailedError, FencedError
from django_runbook.jobs.ledger.recording import Recording, recorded
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.schema.secrets import masked

#: The run that a command belongs to, in its environment.
INSIDE = "RUNBOOK_RUN"
BEAT_SECONDS = 10.0
KILL_SECONDS = 10.0  # from SIGTERM to SIGKILL, where a command does not end
LOOK_SECONDS = 0.1
TAIL = 10_000  # bytes of output that the ledger keeps, and a ping carries
ENDS = {0: Status.SUCCEEDED, 3: Status.REFUSED, 4: Status.STOPPED}


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """How a wrapped command came out; ``code`` is its own exit code, 128+n for signal n."""

    run: int
    slot: datetime.datetime | None
    status: str
    code: int
    due: int | None
    changed: int
    batches: int
    seconds: float
    reason: str
    warnings: tuple[str, ...]


def run_command(
    job: Job, argv: Sequence[str], *, order: Order, max_seconds: float, out: int, err: int
) -> CommandResult:
    """Run a command as ``job`` and hand its output on to the descriptors ``out`` and ``err``.

    SIGINT and SIGTERM are handed on to it and its children. After ``max_seconds`` it gets SIGTERM,
    and SIGKILL ten seconds later.

    Raises ``SlotTakenError`` where another run has the slot, ``RefusedError`` where the job runs
    alone and is running, and ``FailedError`` where the run was taken over by another.
    """
    with recorded(job, order) as recording:
        code = _Child(recording, argv, out, err).wait(max_seconds)
    run = as_recorded(recording.run) or recording.run
    return CommandResult(
        run=run.pk,
        slot=run.slot,
        status=recording.status,
        code=code,
        due=run.due,
        changed=run.changed,
        batches=run.batches,
        seconds=round(recording.seconds, 3),
        reason=recording.reason,
        warnings=tuple(recording.warnings),
    )


def as_recorded(run: Run) -> Run | None:
    """Return the run as its row stands; None where the command itself has removed it.

    A command that rebuilds an SQLite file leaves the open one without a name: it is opened anew.
    """
    connection = connections[run._state.db or DEFAULT_DB_ALIAS]
    if not connection.in_atomic_block:
        connection.close()
    try:
        return Run.objects.filter(pk=run.pk).first()
    except Error:
        return None  # the tables are gone as well


class _Child:
    """The process of a command, in a group of its own: a signal reaches it once, through us."""

    def __init__(self, recording: Recording, argv: Sequence[str], out: int, err: int) -> None:
        self._recording = recording
        self._signals: deque[int] = deque()
        self._tail = bytearray()
        self._late = ""
        self._argv, self._out, self._err = argv, out, err

    def wait(self, max_seconds: float) -> int:
        """Start it, watch it to its end, and take down how it came out."""
        env = {**os.environ, INSIDE: str(self._recording.run.pk), "PYTHONUNBUFFERED": "1"}
        with _caught(self._signals):
            process = subprocess.Popen(
                list(self._argv),
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
            )
            pumps = [
                self._pump(process.stdout, self._out),
                self._pump(process.stderr, self._err),
            ]
            try:
                code = self._watch(process, max_seconds)
            except BaseException:
                _signal(process, signal.SIGKILL)
                process.wait()
                raise
            finally:
                for pump in pumps:
                    pump.join(timeout=LOOK_SECONDS * 10)  # a grandchild may hold the pipe
        return self._came_out(code)

    def _watch(self, process: "subprocess.Popen[bytes]", max_seconds: float) -> int:
        beat = time.monotonic() + BEAT_SECONDS
        end, kill = time.monotonic() + max_seconds, float("inf")
        while True:
            try:
                return process.wait(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                now = time.monotonic()
            while self._signals:
                _signal(process, self._signals.popleft())
            if now >= end:
                self._late = f"it took longer than {max_seconds / 60:g} min"
                _signal(process, signal.SIGTERM)
                end, kill = float("inf"), now + KILL_SECONDS
            if now >= kill:
                _signal(process, signal.SIGKILL)
            if now >= beat:
                self._beat(process)
                beat = now + BEAT_SECONDS

    def _beat(self, process: "subprocess.Popen[bytes]") -> None:
        """Beat the run's heart. A database that is away now may be back for the next."""
        run = self._recording.run
        connection = connections[run._state.db or DEFAULT_DB_ALIAS]
        try:
            timeouts.before(connection)
            fence(run)
        except FencedError as error:
            _signal(process, signal.SIGTERM)
            raise FailedError(f"{error} Its command was ended.") from error
        except Error as error:
            self._recording.warnings.append(f"A heartbeat was not written: {one_line(error)}.")
        finally:
            connection.close()

    def _came_out(self, code: int) -> int:
        recording = self._recording
        recording.output = _end(self._tail)
        status = ENDS.get(code, Status.FAILED)
        found = as_recorded(recording.run)
        recording.removed = found is None
        said = found.reason if found else ""
        ended = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        recording.says(status, "" if code == 0 else said or self._late or ended)
        return 128 - code if code < 0 else code

    def _pump(self, source: IO[bytes] | None, to: int) -> threading.Thread:
        """Hand on what comes, and keep the end of it."""
        pipe = cast("IO[bytes]", source)  # as it was asked for

        def pump() -> None:
            reading = True
            with pipe:
                while chunk := os.read(pipe.fileno(), 65_536):
                    self._tail += chunk
                    del self._tail[
                        : -2 * TAIL
                    ]  # more than is kept: no secret is cut before it is masked
                    if reading:
                        reading = _written(to, chunk)

        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        return thread


def _end(output: bytes | bytearray) -> str:
    """Return the end of what a command printed, without secrets."""
    said = masked(output.decode("utf-8", "replace")).encode()
    return said[-TAIL:].decode("utf-8", "ignore")


def _written(to: int, chunk: bytes) -> bool:
    """Write it all; tell whether somebody still reads. The command goes on without a reader."""
    try:
        while chunk:
            chunk = chunk[os.write(to, chunk) :]
    except OSError:
        return False
    return True


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal to the command and its children, if it has not ended."""
    if process.poll() is None:
        os.killpg(process.pid, number)


@contextmanager
def _caught(signals: "deque[int]") -> Iterator[None]:
    """Collect SIGINT and SIGTERM, to be handed on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def catch(number: int, _frame: Any) -> None:
        signals.append(number)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
