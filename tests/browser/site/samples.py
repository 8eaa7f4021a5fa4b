"""A month of runs, as a team's ledger has them: done, late, skipped, failed, and some missing."""

import datetime
import random
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.jobs import registry
from django_runbook.jobs.models import Run, Slot, Status
from django_runbook.schedule import slots

DAYS = 30
EXPIRED = {
    "model": "accounts.account",
    "change": {
        "model": "accounts.account",
        "was": {"status": "TRIALING"},
        "to": {"status": "TRIAL_EXPIRED"},
    },
}
#: What came of the slots before the last one, counted from it; all others were done in time.
ENDS = {
    "expire_trials": {4: "failed", 5: "late", 9: "missed", 16: "skipped", 23: "late"},
    "prune_runs": {0: "failed", 1: "missed", 2: "missed", 8: "skipped", 19: "late"},
    "clearsessions": {2: "skipped"},
}
LATE = {
    "expire_trials": datetime.timedelta(hours=8),
    "prune_runs": datetime.timedelta(minutes=45),
    "clearsessions": datetime.timedelta(hours=9),
}
STATUS = {"failed": Status.FAILED, "skipped": Status.SKIPPED}


def fill(now: datetime.datetime) -> None:
    """Write the runs of each job into an empty ledger, as if it had been there all the while."""
    tables = MigrationRecorder(connection).migration_qs.filter(app=Run._meta.app_label)
    tables.update(applied=now - datetime.timedelta(days=365))
    rng = random.Random(14)
    past = (
        (at, name, ENDS[name].get(number, "done"))
        for name in ENDS
        for number, at in enumerate(_slots(name, now))
    )
    for at, name, end in sorted(past):
        if end != "missed":
            _add(at, name, end, rng)


def _slots(name: str, now: datetime.datetime) -> Iterator[datetime.datetime]:
    at: datetime.datetime | None = now
    for _ in range(DAYS):
        if at is not None and (at := slots.latest(registry.job(name), at)):
            yield at
            at -= datetime.timedelta(seconds=1)


def _add(at: datetime.datetime, name: str, end: str, rng: random.Random) -> None:
    started = at + datetime.timedelta(seconds=rng.uniform(20, 200))
    started += LATE[name] if end == "late" else datetime.timedelta()
    took = datetime.timedelta(seconds=rng.uniform(2, 6))
    took = datetime.timedelta(seconds=0.1) if end == "skipped" else took
    run = Run.objects.create(
        job=name,
        slot=at,
        status=STATUS.get(end, Status.SUCCEEDED),
        started=started,
        heartbeat=started + took,
        finished=started + took,
        user="runner",
        host="scheduler-1",
        pid=4711,
        reason="connection to server was lost" if end == "failed" else "",
        **_rows(name, end, rng),
    )
    Slot.objects.create(job=name, at=at, run=run)


def _rows(name: str, end: str, rng: random.Random) -> dict[str, Any]:
    if name != "expire_trials":
        return {}
    if end in STATUS:
        return EXPIRED
    changed = rng.randint(170, 260)
    return {**EXPIRED, "due": changed, "changed": changed, "batches": 1}
