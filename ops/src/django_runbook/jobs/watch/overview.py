"""All jobs at a glance: how each is, and what became of its last slots."""

import datetime
from dataclasses import dataclass

from django_runbook.config import Job
from django_runbook.jobs.watch.snapshot import snapshot
from django_runbook.jobs.watch.status import Health, everyone, health
from django_runbook.jobs.watch.strips import SlotState, strip


@dataclass(frozen=True, kw_only=True)
class JobOverview:
    """A job, whether it is declared, how it is, and its last slots, the oldest first."""

    job: Job
    declared: bool
    health: Health
    strip: tuple[SlotState, ...]


def overview(now: datetime.datetime) -> list[JobOverview]:
    """Return every job that is declared, then others that are registered or have run.

    What ``check`` and ``strip`` say at ``now`` (aware), by as many queries as ``check`` takes.
    """
    found = everyone()
    seen = snapshot((job for job, _declared in found), now, strips=True)
    return [
        JobOverview(job=job, declared=declared, health=health(one), strip=strip(one))
        for (job, declared), one in zip(found, seen, strict=True)
    ]
