"""What tests of the past share: jobs that are declared, runs, and the age of the ledger."""

import datetime
from pathlib import Path

import pytest
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.config import Config, Job
from django_runbook.jobs import registry
from django_runbook.jobs.models import Pause, Run, Slot

SLOT = datetime.datetime(2026, 3, 2, 4, 17, tzinfo=datetime.UTC)  # a Monday
DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
MINUTE, INSTANT = datetime.timedelta(minutes=1), datetime.timedelta(microseconds=1)
TRIAL = datetime.timedelta(days=61)
JOB = Job(name="expire_trials", cron="17 4 * * *", grace_hours=6)


@pytest.fixture(name="declare")
def declare_fixture(monkeypatch):
    """Return what declares jobs, and registers transitions, in place of this repository's own."""

    def declared(*found: Job, registered: tuple = ()) -> None:
        known = {one.name: one for one in found}
        config = Config(root=Path(), manage=Path(), protected=frozenset(), jobs=known)
        monkeypatch.setattr(registry, "of_settings", lambda: config)
        transitions = {moved.job: moved for moved in registered}
        monkeypatch.setattr(registry, "_registered", transitions)

    declared(JOB)
    return declared


def since(at: datetime.datetime) -> None:
    """Let the ledger be made at a time."""
    MigrationRecorder.Migration.objects.filter(app="runbook_jobs").update(applied=at)


def ran(status: str = "SUCCEEDED", started: datetime.datetime = SLOT, **values) -> Run:
    """Return a run of the ledger that took a minute, and has claimed its slot where it has one."""
    ended = {"finished": started + MINUTE} if status != "RUNNING" else {}
    model = values.get("change", {}).get("model", "")
    defaults = {"job": "expire_trials", "user": "me", "host": "laptop", "model": model, **ended}
    run = Run.objects.create(status=status, started=started, **{**defaults, **values})
    if run.slot:
        Slot.objects.update_or_create(job=run.job, at=run.slot, defaults={"run": run})
    return run


def paused(since: datetime.datetime, until: datetime.datetime | None = None, **values) -> Pause:
    """Return a pause of the past."""
    defaults = {"job": "expire_trials", "reason": "prices", "who": "me@laptop"}
    return Pause.objects.create(since=since, until=until, **{**defaults, **values})
