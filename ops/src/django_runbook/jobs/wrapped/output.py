"""Hands on what a command prints, and keeps the end of it."""

import fcntl
import os
import re
import select
import termios
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from typing import IO

from django_runbook.schema.secrets import masked

TAIL = 10_000  # bytes of output that the ledger keeps, and a ping carries
CHUNK = 65_536
LOOK_SECONDS = 0.1
#: How Python and the kit say that ``input`` found nobody.
ASKED = re.compile(r"EOFError(: EOF when reading a line)?($| \()", re.MULTILINE)
LAST_LINES = 3
LEFT_SECONDS = 1.0  # how long output is read behind the end: a grandchild may hold the pipe


class Output:
    """The two streams of a command, each read by a thread of its own."""

    def __init__(self) -> None:
        self._tail = bytearray()
        self._threads: list[threading.Thread] = []
        self._end: float | None = None

    def pump(self, pipe: IO[bytes], to: int) -> None:
        """Hand on what comes to a descriptor, until it ends."""
        thread = threading.Thread(target=self._pump, args=(pipe, to), daemon=True)
        self._threads.append(thread)
        thread.start()

    def read(self) -> str:
        """Read what is left when the command has ended; return the end of it, without secrets."""
        self._end = time.monotonic() + LEFT_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, self._end + LOOK_SECONDS - time.monotonic()))
        said = masked(self._tail.decode("utf-8", "replace")).encode()
        return said[-TAIL:].decode("utf-8", "ignore")

    @property
    def asked(self) -> bool:
        """Whether its last words are that it asked a question and nobody answered."""
        lines = self._tail.decode("utf-8", "replace").rstrip().splitlines()
        return bool(ASKED.search("\n".join(lines[-LAST_LINES:])))

    def finish(self, hurries: Callable[[], bool]) -> None:
        """Wait until all that was read is written, however slow its reader, unless it hurries."""
        for thread in self._threads:
            while thread.is_alive() and not hurries():
                thread.join(LOOK_SECONDS)

    def _pump(self, pipe: IO[bytes], to: int) -> None:
        heard = True
        with pipe:
            for chunk in self._chunks(pipe.fileno()):
                self._tail += chunk
                # more than is kept: no secret is cut before it is masked
                del self._tail[: -2 * TAIL]
                heard = heard and _written(to, chunk)

    def _chunks(self, source: int) -> Iterator[bytes]:
        """Yield what comes, until nobody can write any more, or the end was some time ago."""
        while self._end is None or time.monotonic() < self._end:
            if select.select([source], [], [], LOOK_SECONDS)[0]:
                chunk = os.read(source, CHUNK)
                if not chunk:
                    return
                yield chunk
            elif self._end is not None:
                return
        left = _waiting(source)
        while left > 0:
            chunk = os.read(source, min(left, CHUNK))
            left -= len(chunk)
            yield chunk


def _waiting(source: int) -> int:
    """Return how many bytes wait in a pipe."""
    (count,) = array("i", fcntl.ioctl(source, termios.FIONREAD, bytes(4)))
    return int(count)


def _written(to: int, chunk: bytes) -> bool:
    """Write it all; tell whether somebody still reads. The command goes on without a reader."""
    try:
        while chunk:
            chunk = chunk[os.write(to, chunk) :]
    except OSError:
        return False
    return True
