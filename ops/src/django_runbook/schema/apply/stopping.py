"""SIGINT and SIGTERM while migrations are applied."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Interrupt(KeyboardInterrupt):
    """The end was asked for. psycopg cancels the statement on its base, and raises it again."""


class Stop:
    """Whether the end was asked for, and whether the present moment may be broken off.

    It may not while a transaction is committed (it would be unknown whether it was), nor in a
    migration without a transaction, which would be left half done: that ends first. A second
    signal breaks off whatever there is.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.number = 0
        self.breakable = True
        self.hint = ""

    def asked(self, number: int, _frame: object = None) -> None:
        """Handle a signal."""
        again = bool(self.reason)
        self.reason, self.number = signal.Signals(number).name, number
        if self.breakable or again:
            raise Interrupt(self.reason)
        if self.hint:  # not print: a handler may have interrupted one
            with suppress(OSError, ValueError):  # no standard error to write to
                os.write(sys.stderr.fileno(), f"\n{self.reason}: {self.hint}\n".encode())

    def look(self) -> None:
        """Raise ``Interrupt`` where the end was asked for meanwhile."""
        if self.reason:
            raise Interrupt(self.reason)

    @contextmanager
    def unbroken(self, hint: str = "") -> Iterator[None]:
        """Let no first signal break off what is inside; ``hint`` is said to who sends one."""
        before = self.breakable, self.hint
        self.breakable, self.hint = False, hint
        try:
            yield
        finally:
            self.breakable, self.hint = before


@contextmanager
def on_signals(stop: Stop) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask for the end, where this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop.asked) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
