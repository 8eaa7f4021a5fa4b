"""The schedule of a job in words."""

from cronsim import CronSim

from django_runbook.config import Job
from django_runbook.schedule import slots


def words(job: Job) -> str:
    """Return when a job is due, and in which zone: ``At 04:17 every day (UTC)``.

    Empty for a job without ``cron``. Raises ``ConfigError`` for one that is never due.
    """
    if job.cron is None:
        return ""
    slots.check(job)
    return f"{CronSim(job.cron, slots.SOME_DAY).explain()} ({job.timezone})"
