"""A ledger that is removed and rebuilt under a run, as by a command that resets a demo site.

A row that is not there is not one that somebody else has taken: its command goes on, and the run
is written again once there is a ledger for it.
"""

import datetime
import enum

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import QuerySet

from django_runbook.jobs.database import timeouts
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import FencedError, RefusedError
from django_runbook.jobs.ledger import leases
from django_runbook.jobs.models import Run, Slot, Status
from django_runbook.schema.database.files import require_file

PATIENCE = 0.5  # seconds that a beat waits for a lock: one that is missed does no harm
#: What a run was asked and is known by; what it changed was in the ledger that is gone.
KEPT = (
    "job",
    "slot",
    "covers",
    "started",
    "exclusive",
    "token",
    "user",
    "host",
    "pid",
    "ci_url",
    "parameters",
    "arguments",
    "allow",
    "allow_reason",
)


class Standing(enum.Enum):
    """How a run stands in the ledger."""

    OURS = "it is there, and still this process's"
    TAKEN = "another has taken its place"
    GONE = "the ledger does not have it"


def beat(run: Run) -> Standing:
    """Beat the heart of a run, by its random token, and tell how it stands.

    Raises the database's error where it is away, or the tables are not there.
    """
    connection = connections[run._state.db or DEFAULT_DB_ALIAS]
    require_file(connection)
    timeouts.before(connection, PATIENCE)
    with transaction.atomic(using=connection.alias):
        timeouts.inside(connection, PATIENCE)
        if _own(run).filter(status=Status.RUNNING).update(heartbeat=Now()):
            try:
                leases.renew(run)
            except FencedError:
                return Standing.TAKEN
            return Standing.OURS
        return Standing.TAKEN if _own(run).exists() else Standing.GONE


def is_there(run: Run) -> bool:
    """Tell whether the ledger has a run. Raises the database's error where there are no tables."""
    return _own(run).exists()


def write_again(run: Run) -> None:
    """Write a run into a ledger that does not have it, with its slot and its lease.

    Its number becomes another. Raises the database's error where there are no tables for it.
    """
    using = run._state.db or DEFAULT_DB_ALIAS
    with transaction.atomic(using=using):
        again = Run.objects.using(using).create(**{name: getattr(run, name) for name in KEPT})
        if run.slot:
            _claim(again, run.slot)
        if run.exclusive:
            _take(again)
    run.pk, run.exclusive = again.pk, again.exclusive


def _claim(run: Run, at: datetime.datetime) -> None:
    """Claim the slot again, unless another has it in the new ledger."""
    slots = Slot.objects.using(run._state.db)
    slot, made = slots.get_or_create(job=run.job, at=at, defaults={"run": run})
    if not made:
        slots.filter(pk=slot.pk, run=None).update(run=run)


def _take(run: Run) -> None:
    """Take the lease again; whoever has it in the new ledger began after this one did."""
    try:
        leases.take(run)
    except RefusedError:
        run.exclusive = False
        run.save(update_fields=["exclusive"])


def _own(run: Run) -> QuerySet[Run]:
    return Run.objects.using(run._state.db).filter(token=run.token)
