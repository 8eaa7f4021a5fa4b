"""Opens a run whose end can be asked for at any moment, and whose heart beats all the while."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from django_runbook.config import Job
from django_runbook.jobs.batches.stopping import Stop, breakable
from django_runbook.jobs.database.faults import Fault
from django_runbook.jobs.ledger.heart import beating
from django_runbook.jobs.ledger.recording.recording import Recording, recorded
from django_runbook.jobs.ledger.runs import Order


@contextmanager
def opened(job: Job, order: Order, stop: Stop, **values: Any) -> Iterator[Recording]:
    """Yield what ``recorded`` does, beside a heart; ``StoppedError`` of the body ends it STOPPED.

    Raises what ``recorded`` raises, and ``StoppedError`` where the end was asked for before there
    was a run.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    with ExitStack() as closing:
        stop.begun = True
        recording = breakable(
            stop,
            connection,
            lambda: closing.enter_context(recorded(job, order, **values)),
            helps=frozenset({Fault.REPEAT}),  # a lost connection may have lost a COMMIT's answer
        )
        recording.hurries = lambda: bool(stop.reason)
        with beating(recording.run, stop.ask):
            yield recording
