"""Asks a run to end after its batch: in the ledger, where its heart and each batch look."""

from dataclasses import dataclass

from django.db import connections

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.database.faults import patiently
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.reading.history import status, with_pulse
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Run, Status
from django_runbook.schema.secrets import masked
from django_runbook.text.cleaning import one_line


@dataclass(frozen=True, kw_only=True)
class StopAsked:
    """A run that was asked to end; ``reason`` is who asked first, and why."""

    run: int
    job: str
    reason: str
    again: bool


def ask_to_stop(pk: int, *, who: Who, reason: str = "") -> StopAsked:
    """Ask run ``pk`` to end after its batch; who asked first is kept.

    Raises ``UnknownRunError``, and ``RefusedError`` for a run that is not running.
    """
    through = f"({who.through})" if who.through else "(inv jobs.stop)"
    asked = f"{who.ci_url or f'{who.user}@{who.host}'} {through}"
    if reason := one_line(masked(reason)).strip():
        asked = f"{asked}: {reason}"
    queries.get_run(pk)
    mine = Run.objects.filter(pk=pk)
    first = mine.filter(status=Status.RUNNING, stop_asked=None)
    told = patiently(  # SQLite's own wait may miss the moments between two batches
        connections[mine.db], lambda: first.update(stop_asked=Now(), stop_reason=asked)
    )
    run = with_pulse(mine).get()
    if (seen := status(run)) != Status.RUNNING:
        raise RefusedError(
            f"Refused: run {pk} of {run.job} is not running ({seen.label}); nothing was changed."
        )
    return StopAsked(run=pk, job=run.job, reason=run.stop_reason, again=not told)
