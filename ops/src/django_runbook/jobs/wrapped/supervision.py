"""Watches over a command to its end: hands signals on, keeps its time, asks the ledger."""

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django_runbook.jobs.errors import FailedError
from django_runbook.jobs.models import Run, Status
from django_runbook.jobs.wrapped import process as processes
from django_runbook.jobs.wrapped.output import LOOK_SECONDS
from django_runbook.jobs.wrapped.process import Process
from django_runbook.jobs.wrapped.pulse import Pulse

STOPPED = 4
#: What the exit codes of the kit's own commands say; any other command ends with 0 or has failed.
ENDS = {3: Status.REFUSED, 4: Status.STOPPED}
NOBODY = "it asked a question, and nobody answers a job: give it the option that needs no answer"


@dataclass(frozen=True, kw_only=True)
class End:
    """How a command came out; ``code`` is negative for a signal."""

    code: int
    late: str = ""
    asked: str = ""


@dataclass(frozen=True)
class Limit:
    """Until when, on the monotonic clock, a command may run, and what is said of a late one."""

    end: float
    late: str


class Supervision:
    """The watch over one command."""

    def __init__(self, process: Process, run: Run, pulse: Pulse, limit: Limit) -> None:
        self._process, self._run, self._pulse = process, run, pulse
        self._end, self._late = limit.end, limit.late
        self._kill = float("inf")
        self._was_late = self._was_asked = self._was_told = False

    def watch(self) -> End:
        """Return how the command ended.

        Raises ``FailedError`` where another run has taken the place of this one: then it is killed.
        """
        with caught() as signals:
            while (code := self._process.wait(LOOK_SECONDS)) is None:
                while signals:
                    self._tell(signals.popleft())
                self._look(time.monotonic())
        if code == -signal.SIGKILL:
            self._process.kill()
        elif self._was_told:
            self._process.end_others()
        return End(
            code=code,
            late=self._late if self._was_late else "",
            asked=self._pulse.asked if self._was_asked else "",
        )

    def _look(self, now: float) -> None:
        if self._pulse.taken:
            self._tell(signal.SIGTERM)
            what = f"{self._run.job}: run {self._run.pk} was taken for lost; another goes on."
            raise FailedError(f"{what} Its command was ended.")
        if self._pulse.asked and not self._was_asked:
            self._was_asked = True
            self._tell(signal.SIGTERM)
        if now >= self._end:
            self._was_late = True
            self._tell(signal.SIGTERM)
            self._end, self._kill = float("inf"), now + processes.KILL_SECONDS
        if now >= self._kill:
            self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        """Send a signal; a terminal that has gone, of which the command has none, is an end."""
        self._was_told = True
        self._process.send(signal.SIGTERM if number == signal.SIGHUP else number)


def outcome(end: End, *, own: bool, said: str, asked: bool) -> tuple[Status, str, int]:
    """Return what an end says in the ledger, why, and the exit code that tells it.

    ``own`` says that it is one of the kit's commands, ``said`` what it wrote into the ledger, and
    ``asked`` that it asked a question, and got no answer.
    """
    if end.code == 0:
        return Status.SUCCEEDED, "", 0
    if end.asked:
        return Status.STOPPED, end.asked, STOPPED
    number = f"ended by {_name(-end.code)}" if end.code < 0 else f"exit code {end.code}"
    status = ENDS.get(end.code, Status.FAILED) if own else Status.FAILED
    code = end.code if end.code > 0 else 128 - end.code
    return status, end.late or (NOBODY if asked else said) or number, code


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"


@contextmanager
def caught() -> Iterator["deque[int]"]:
    """Collect the signals that ask for an end, to be handed on, in the main thread.

    A SIGHUP that is ignored, as under nohup, stays so.
    """
    signals: deque[int] = deque()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    def catch(number: int, _frame: Any) -> None:
        signals.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, catch) for number in numbers}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
