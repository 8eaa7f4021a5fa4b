"""An orderly end: what asks for it, how a run sees that, and what it does not wait for."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import Error

from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.cancelling import cancel
from django_runbook.jobs.database.faults import Fault, Patience, fault
from django_runbook.jobs.errors import StoppedError

LOOK = 0.1  # seconds between two looks while waiting: a handler does not end a sleep
GRACE = 0.5  # seconds after an end was asked for, in which a read may still be answered
T = TypeVar("T")


class Stop:
    """Tells a run that it should end after its current batch.

    ``max_seconds`` is counted from the making of this object.
    """

    def __init__(self, max_seconds: float | None = None) -> None:
        self._end = None if max_seconds is None else time.monotonic() + max_seconds
        self._max_seconds = max_seconds
        self._reason = ""
        self._asked = float("inf")
        #: Whether something was begun that wants an orderly end; else a signal ends it at once.
        self.begun = False

    def ask(self, reason: str) -> None:
        """Ask for the end; takes no lock, so a signal handler may. The first reason stays."""
        self._asked = min(self._asked, time.monotonic())
        self._reason = self._reason or reason

    @property
    def reason(self) -> str:
        """Why the run should end now, such as ``SIGTERM``; empty while it may go on."""
        if self._end is not None and time.monotonic() >= self._end:
            self.ask(f"--max-seconds {self._max_seconds:g}")
        return self._reason

    @property
    def overdue(self) -> bool:
        """Whether the end was asked for a while ago, so that nothing is waited for any more."""
        return bool(self.reason) and time.monotonic() - self._asked >= GRACE

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until the end is asked for."""
        end = time.monotonic() + seconds
        while not self.reason and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK))


def breakable(
    stop: Stop,
    connection: Any,
    work: Callable[[], T],
    *,
    helps: frozenset[Fault] = frozenset({Fault.REPEAT, Fault.RECONNECT}),
) -> T:
    """Do what may be done twice, again where that ``helps``; an end that is asked for breaks it.

    However long the database takes: a count that waits for a lock is cancelled soon after the
    end was asked for. In somebody else's transaction it is done once and to its end: what breaks
    it would break theirs.

    Raises ``StoppedError``, and the database's error where nothing helps.
    """
    if connection.in_atomic_block:
        return work()
    patience = Patience()
    with _cancelled(stop, connection):
        while not stop.overdue:
            try:
                with timeouts.short(connection):
                    return work()
            except Error as error:
                kind, wait = fault(error, connection), patience.next()
                if stop.overdue or (stop.reason and kind in helps):
                    break
                if kind not in helps or wait is None:
                    raise
            stop.wait(wait)
            if kind is Fault.RECONNECT:
                connection.close()
    raise StoppedError(stop.reason)


@contextmanager
def _cancelled(stop: Stop, connection: Any) -> Iterator[None]:
    """Let a thread cancel what the connection waits in, again and again, once it is overdue."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK):
            if stop.overdue:
                cancel(connection)

    watcher = threading.Thread(target=watch, daemon=True)
    begun, stop.begun = stop.begun, True
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        stop.begun = begun


@contextmanager
def on_signals(stop: Stop) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP ask for the end, in the main thread; a second SIGINT breaks.

    GitHub Actions sends SIGINT, and SIGTERM 7.5 s later. A SIGHUP that is ignored, as under nohup,
    stays so. Before anything was begun, such as at a question, a signal raises ``StoppedError``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    again = False

    def asked(number: int, _frame: object) -> None:
        nonlocal again
        second, again = again, True
        stop.ask(signal.Signals(number).name)
        if second and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not stop.begun:
            raise StoppedError(stop.reason)

    before = {number: signal.signal(number, asked) for number in numbers}
    try:
        with _noticed_at_once(stop, frozenset(numbers)):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _noticed_at_once(stop: Stop, numbers: frozenset[int]) -> Iterator[None]:
    """Ask for the end also while a driver waits, in which Python runs no handler of a signal."""
    reader, writer = socket.socketpair()
    writer.settimeout(0)

    def read() -> None:
        while said := reader.recv(64):
            for number in numbers.intersection(said):
                stop.ask(signal.Signals(number).name)

    thread = threading.Thread(target=read, daemon=True)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()
        thread.join()
        reader.close()
