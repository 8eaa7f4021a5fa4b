"""The lease of a job whose runs do not overlap: a row that runs out by itself.

By the database's clock. Not a session's advisory lock: a pooler hands the session to others and the
lock with it.
"""

import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import FencedError, RefusedError
from django_runbook.jobs.models import Lease, Run

#: How long a lease lasts without being renewed; each batch and each heartbeat renews it.
DURATION = datetime.timedelta(minutes=2)


class HeldError(RefusedError):
    """Another run has the lease; ``by`` names it."""

    def __init__(self, job: str, by: str) -> None:
        self.by = by
        super().__init__(
            f"Refused: {job} runs alone and is being run by {by}; nothing was changed. "
            f"It ends by itself, or {DURATION.seconds} s after it was killed."
        )


def take(run: Run) -> None:
    """Take the lease of the run's job, under the run's own random token.

    Raises ``HeldError`` while another run has it.
    """
    leases = Lease.objects.using(run._state.db)
    until = Now() + DURATION
    values = {"token": run.token, "run": run, "expires": until}
    if leases.filter(job=run.job, expires__lt=Now()).update(**values):
        return
    try:
        with transaction.atomic(using=run._state.db):
            leases.create(job=run.job, **values)
    except IntegrityError:
        holder = leases.select_related("run").filter(job=run.job).first()
        by = f"run {holder.run_id} ({holder.run.who})" if holder else "another run"
        raise HeldError(run.job, by) from None


def renew(run: Run) -> None:
    """Hold the lease for longer, if the run took one. Raises ``FencedError`` where it was lost."""
    if not run.exclusive:
        return
    if not _held(run).update(expires=Now() + DURATION):
        raise FencedError(f"{run.job}: run {run.pk} has lost its lease; another goes on.")


def release(run: Run) -> None:
    """Give the lease back."""
    if run.exclusive:
        _held(run).delete()


def _held(run: Run) -> QuerySet[Lease]:
    return Lease.objects.using(run._state.db).filter(job=run.job, token=run.token)
