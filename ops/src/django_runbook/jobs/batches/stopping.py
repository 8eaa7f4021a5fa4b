"""An orderly end: what asks for it, and how a run sees that."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOOK = 0.1  # seconds between two looks while waiting: a handler does not end a sleep


class Stop:
    """Tells a run that it should end after its current batch.

    ``max_seconds`` is counted from the making of this object.
    """

    def __init__(self, max_seconds: float | None = None) -> None:
        self._end = None if max_seconds is None else time.monotonic() + max_seconds
        self._max_seconds = max_seconds
        self._reason = ""

    def ask(self, reason: str) -> None:
        """Ask for the end; takes no lock, so a signal handler may. The first reason stays."""
        self._reason = self._reason or reason

    @property
    def reason(self) -> str:
        """Why the run should end now, such as ``SIGTERM``; empty while it may go on."""
        if self._end is not None and time.monotonic() >= self._end:
            self.ask(f"--max-seconds {self._max_seconds:g}")
        return self._reason

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until the end is asked for."""
        end = time.monotonic() + seconds
        while not self.reason and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK))


@contextmanager
def on_signals(stop: Stop) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask for the end, in the main thread; a second SIGINT interrupts.

    GitHub Actions sends SIGINT, and SIGTERM 7.5 s later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(number: int, _frame: object) -> None:
        if number == signal.SIGINT and stop.reason:
            raise KeyboardInterrupt
        stop.ask(signal.Signals(number).name)

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
