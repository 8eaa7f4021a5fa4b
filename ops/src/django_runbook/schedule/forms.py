"""What the forms of a schedule have in common: the command, its limits, and texts with gaps."""

import math
from string import Template

from django_runbook.config import ConfigError, Job, Schedule

#: From SIGTERM to SIGKILL, where a command does not end (``jobs.wrapped``), and then some.
END_SECONDS = 30
#: What is said of ``overlap`` where a scheduler starts a job whatever else runs: the ledger does
#: the same everywhere.
OVERLAP = {
    "share": "A start while another run is under way shares its rows (overlap).",
    "skip": "A start while another run is under way is left out, with exit code 0 (overlap).",
    "wait": "A start while another run is under way waits for its end (overlap).",
}


class Text(Template):
    """A text with gaps such as ``@{job}``: ``$`` is the shell's, and GitHub's."""

    delimiter = "@"


def seconds(job: Job) -> int:
    """Return after how long the command ends by itself."""
    return math.ceil(job.timeout_minutes * 60)


def command(job: Job, schedule: Schedule, *options: str) -> list[str]:
    """Return the words that run a job within its time limit."""
    limit = f"--max-seconds={seconds(job)}"
    return [*schedule.command.split(), "jobs.run", job.name, *options, limit]


def require(job: Job) -> str:
    """Return the cron expression. Raises ``ConfigError`` for a job that has none."""
    if job.cron is None:
        raise ConfigError(
            f"tool.django-runbook.jobs.{job.name} has no cron, and so no schedule; "
            'allowed: five fields, as in cron = "17 4 * * *".'
        )
    return job.cron
