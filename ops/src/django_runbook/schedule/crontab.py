"""Renders lines for a crontab.

No ``flock``: two at once do the slot once, for the ledger gives it to one of them, and does what
``overlap`` says of two slots. cron mails what
a command prints, so a run that went well prints nothing. ``%`` is a new line to cron (crontab(5)),
unless it is escaped.
"""

import shlex

from django_runbook.config import Job, Schedule
from django_runbook.schedule import cron, forms

TEXT = """\
# The job @{job}. Made by 'inv schedule.export crontab' from pyproject.toml.
# Its settings come from .env in the folder. Mail comes only where a run went wrong. CRON_TZ is read
# by cronie (Red Hat, Arch), not by Debian's own cron: there, write hours of the machine's clock.
# @{overlap}
SHELL=/bin/sh
MAILTO=@{mail}
CRON_TZ=@{zone}
@{lines}
"""


def render(job: Job, schedule: Schedule, folder: str) -> str:
    """Return the lines of a job: the declared one, and the safety net.

    ``folder`` is where the repository lies. Raises ``ConfigError`` where the job has no schedule,
    or one that cron cannot be told.
    """
    forms.require(job)
    run = shlex.join(forms.command(job, schedule, "--slot=latest"))
    line = f"cd {shlex.quote(folder)} && out=$({run} 2>&1) || printf '%s\\n' \"$out\""
    escaped = line.replace("%", r"\%")
    lines = cron.lines(job, lambda times: [f"{times} {escaped}"])
    return forms.Text(TEXT).substitute(
        job=job.name,
        mail=schedule.mail,
        zone=job.timezone,
        overlap=forms.OVERLAP[job.overlap],
        lines="\n".join(lines),
    )
