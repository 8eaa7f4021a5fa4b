"""A ledger of the past, and one that holds no run."""

import datetime

import pytest
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.jobs.models import Batch, Run
from tests.ops.jobs.management.printed import CI, DAY, EXPIRY, HOUR, SECOND, SLOT


@pytest.fixture
def numbered(db):
    """Return what writes a run with a number into the ledger, as one of the past."""

    def made(pk: int, started: datetime.datetime, seconds: float = 1.25, **values) -> Run:
        finished = started + datetime.timedelta(seconds=seconds)
        defaults = {
            "job": "expire_trials",
            "status": "SUCCEEDED",
            "heartbeat": finished,
            "finished": None if values.get("status") == "RUNNING" else finished,
            "user": "me",
            "host": "laptop",
            "pid": 7,
            "token": f"00000000-0000-4000-8000-{pk:012}",
        }
        return Run.objects.create(pk=pk, started=started, **{**defaults, **values})

    return made


@pytest.fixture
def ledger(numbered):
    """Return a ledger with a run that was undone, one of CI that failed, and one that was lost."""
    Run.objects.all().delete()
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").update(applied=SLOT - 9 * DAY)
    first = numbered(
        1,
        SLOT - DAY,
        slot=SLOT - DAY,
        due=1_000_000,
        changed=1_000_000,
        batches=2,
        change=EXPIRY,
        allow=1_000_000,
        allow_reason="the price\nlist was late",
        parameters={"as_of": "2026-03-01T04:17:00+00:00", "cutoff": "2025-12-30T04:17:00+00:00"},
    )
    numbered(2, SLOT - HOUR, 250, undoes=first, due=1_000_000, changed=999_998, batches=2)
    numbered(3, SLOT, 0.04, slot=SLOT, status="FAILED", ci_url=CI, due=3, reason="disk\nfull")
    numbered(4, SLOT + HOUR, 61, job="tidy", status="RUNNING", output="one\ntwo\n")
    for number, ids in ((1, [5, 7, 9]), (2, [4])):
        Batch.objects.create(
            run=first, number=number, changed=len(ids), ids=ids, finished=SLOT + number * SECOND
        )


@pytest.fixture
def empty(db):
    """Let the ledger hold no run, and be older than any slot here."""
    Run.objects.all().delete()
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").update(applied=SLOT - 9 * DAY)
