"""Sentry's check-ins, which also make the monitor and keep its schedule.

As docs.sentry.io/product/crons says. It takes part where sentry-sdk 2 is installed and initialised.
"""

import math
import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from django_runbook.jobs.notify import errands
from django_runbook.jobs.notify.monitor import Monitor

#: most minutes that Sentry's src/sentry/monitors/validators.py lets through; the least is 1
LONGEST_MARGIN = 40_320
LONGEST_RUNTIME = 10_080


def library() -> ModuleType | None:
    """Return sentry-sdk where the program has imported it: who initialised it has."""
    return sys.modules.get("sentry_sdk")


def slug(job: str) -> str:
    """Return the name of a job's monitor."""
    return re.sub(r"[^a-z0-9_-]+", "-", job.lower())


def check_in(sdk: ModuleType, monitor: Monitor, status: str, seconds: float | None) -> str | None:
    """Send a check-in and return why it came to nothing, or None. Raises what Sentry raises.

    Sentry's client tells nobody that a server refused an event; only one that it dropped itself,
    or that still waits at the deadline, is seen here.
    """
    if not sdk.is_initialized():
        return None
    sent = import_module("sentry_sdk.crons").capture_checkin(
        monitor_slug=slug(monitor.job),
        check_in_id=monitor.run.hex,
        status=status,
        duration=seconds,
        monitor_config=_config(monitor),
    )
    sdk.flush(timeout=2 * errands.DEADLINE)  # longer than anyone waits: the deadline then says so
    return None if sent else "Sentry's client dropped it"


def _config(monitor: Monitor) -> dict[str, Any] | None:
    """Return what Sentry makes the monitor from; without a schedule it must be there."""
    if monitor.cron is None:
        return None
    return {
        "schedule": {"type": "crontab", "value": monitor.cron},
        "timezone": monitor.timezone,
        "checkin_margin": _minutes(monitor.grace_hours * 60, LONGEST_MARGIN),
        "max_runtime": _minutes(monitor.timeout_minutes, LONGEST_RUNTIME),
    }


def _minutes(value: float, longest: int) -> int:
    return min(max(1, math.ceil(value)), longest)
