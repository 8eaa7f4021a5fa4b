"""Renders a service and a timer for systemd.

``Persistent=true`` makes up for what was missed while the machine was off. A slot is done once,
whichever line of the timer starts it: the ledger knows.
"""

import re
from collections.abc import Collection

from django_runbook.config import ConfigError, Job, Schedule
from django_runbook.schedule import cron, forms, slots

PATH = re.compile(r"/[\w./-]*", re.ASCII)
WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
SERVICE = """\
# The job @{job}. Made by 'inv schedule.export systemd' from pyproject.toml.
# Save it as /etc/systemd/system/@{job}.service
[Unit]
Description=The job @{job}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User=@{user}
WorkingDirectory=@{folder}
# Readable for root alone: @{secrets}
EnvironmentFile=/etc/@{app}.env
ExecStart=@{command}
@{meanwhile}# The command ends by itself after @{limit}, between two batches.
TimeoutStartSec=@{latest}
# The command hands the signal on to what it runs.
KillMode=mixed
TimeoutStopSec=@{end}

CapabilityBoundingSet=
LockPersonality=true
NoNewPrivileges=true
PrivateDevices=true
PrivateTmp=true
ProtectClock=true
ProtectControlGroups=true
ProtectHome=read-only
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
ProtectSystem=strict
# For a database in a file; where there is none, nothing can be written.
ReadWritePaths=-@{folder}/var
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@@system-service
UMask=0077
"""
#: For slots that may come while the job is running.
MEANWHILE = """\
# systemd starts nothing while this is running: what has come due by then is seen to right after.
# @{overlap}
ExecStart=@{command}
"""
TIMER = """\
# When the job @{job} runs. Made by 'inv schedule.export systemd' from pyproject.toml.
# Save it as /etc/systemd/system/@{job}.timer, then: systemctl enable --now @{job}.timer
[Unit]
Description=When the job @{job} runs

[Timer]
@{lines}
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
"""


def render(job: Job, schedule: Schedule, folder: str) -> dict[str, str]:
    """Return the service and the timer by their names.

    ``folder`` is where the repository lies. Raises ``ConfigError`` where the job has no schedule,
    or one that cannot be told, and for a folder that a unit would misread.
    """
    forms.require(job)
    if not PATH.fullmatch(folder):
        raise ConfigError(
            f"tool.django-runbook.schedule.folder is missing, and {folder!r} cannot stand in a "
            "unit; "
            'allowed: an absolute path without spaces, as in folder = "/srv/app".'
        )
    return {
        f"{job.name}.service": service(job, schedule, folder),
        f"{job.name}.timer": timer(job),
    }


def service(job: Job, schedule: Schedule, folder: str) -> str:
    """Return the service."""
    program, *rest = forms.command(job, schedule, "--slot=latest")
    if not program.startswith("/") and "/" in program:
        program = f"{folder}/{program.removeprefix('./')}"
    secrets = [*schedule.secrets, *filter(None, [job.heartbeat])]
    command = " ".join([program, *rest])
    meanwhile = forms.Text(MEANWHILE).substitute(
        overlap=forms.OVERLAP[job.overlap], command=command
    )
    close = forms.seconds(job) >= slots.shortest_pause(job).total_seconds()
    return forms.Text(SERVICE).substitute(
        job=job.name,
        user=schedule.user,
        folder=folder,
        secrets=", ".join(secrets),
        app=schedule.app,
        command=command,
        meanwhile=meanwhile if close else "",
        limit=f"{job.timeout_minutes:g} min",
        latest=forms.seconds(job) + 2 * forms.END_SECONDS,
        end=forms.END_SECONDS,
    )


def timer(job: Job) -> str:
    """Return the timer: the declared times, and the safety net."""
    lines = cron.lines(
        job, lambda times: [f"OnCalendar={event}" for event in events(times, job.timezone)]
    )
    return forms.Text(TIMER).substitute(job=job.name, lines="\n".join(lines))


def events(times: str, zone: str) -> list[str]:
    """Return calendar events (systemd.time(7)) for a cron expression.

    Two where both the day and the weekday are limited: cron wants one of them, an event both.
    """
    declared = cron.read(Job(name="timer", cron=times))
    months = _list(declared.months, every=declared.any_month)
    days = _list(declared.days, every=declared.any_day)
    hours = _list(declared.hours, every=declared.hours == cron.HOURS)
    minutes = _list(declared.minutes, every=declared.minutes == cron.MINUTES)
    weekdays = ",".join(WEEKDAYS[day] for day in sorted(declared.weekdays))
    time = f"{hours}:{minutes}:00 {zone}"
    if declared.any_weekday:
        return [f"*-{months}-{days} {time}"]
    if declared.any_day:
        return [f"{weekdays} *-{months}-* {time}"]
    return [f"*-{months}-{days} {time}", f"{weekdays} *-{months}-* {time}"]


def _list(numbers: Collection[int], *, every: bool) -> str:
    return "*" if every else ",".join(f"{number:02}" for number in sorted(numbers))
