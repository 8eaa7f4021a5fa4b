"""The heart of a wrapped command's run, beaten by its supervisor: a thread of its own.

Whatever the supervisor waits for, the run is not taken for lost. No connection stays open between
two beats: a command may drop the database.
"""

import threading
import time
from contextlib import suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections

from django_runbook.jobs.database.faults import one_line
from django_runbook.jobs.ledger.heart import asked_to_stop
from django_runbook.jobs.ledger.recording.rebuilt import Standing, beat, write_again
from django_runbook.jobs.models import Run

BEAT_SECONDS = 3.0  # so soon does an end come that somebody asks for in the ledger
WORRYING = 30.0  # seconds without a beat; after four times as long a run is taken for lost
LAST = 5.0  # seconds that the last beat may take: its server may be away


class Pulse:
    """Beats until ``stop``; writes the run again where the ledger was rebuilt.

    ``taken`` tells that another has the run's place, ``asked`` who asked for its end.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, daemon=True)
        self._last, self._longest, self._why = time.monotonic(), 0.0, ""
        self.taken = False
        self.asked = ""

    def start(self) -> None:
        """Begin, where another connection can see the run.

        It cannot in somebody's transaction, nor in a database in memory.
        """
        connection: Any = connections[self._run._state.db or DEFAULT_DB_ALIAS]
        in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
        if not connection.in_atomic_block and not in_memory:
            self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(LAST)

    @property
    def warnings(self) -> list[str]:
        """What to say of beats that were missed: of a few, such as behind a lock, nothing."""
        if self._longest < WORRYING:
            return []
        return [f"No heartbeat was written for {self._longest:.0f} s: {self._why}."]

    def _beat_on(self) -> None:
        connection = connections[self._run._state.db or DEFAULT_DB_ALIAS]  # this thread's own
        while not self._over.wait(BEAT_SECONDS) and not self.taken:
            try:
                self._beat()
            except Error as error:
                self._longest = max(self._longest, time.monotonic() - self._last)
                self._why = one_line(error)
            finally:
                with suppress(Error):
                    connection.close()

    def _beat(self) -> None:
        standing = beat(self._run)
        if standing is Standing.GONE and not self._over.is_set():
            write_again(self._run)
        self.taken = standing is Standing.TAKEN
        self._last = time.monotonic()
        if standing is Standing.OURS:
            self.asked = self.asked or asked_to_stop(self._run)
