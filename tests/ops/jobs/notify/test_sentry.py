"""Sentry gets a check-in for each signal, where the program has it."""

import pytest

from django_runbook.jobs.notify import pings
from tests.ops.jobs.notify.monitoring import RUN, Call, monitor, say_all


def test_check_ins(sentry):
    """Sentry gets the run's id, its state, its length and the schedule, and is waited for."""
    assert say_all(monitor()) == []
    shared = {
        "monitor_slug": "expire_trials",
        "check_in_id": "0b7e4d529a3c4c0f8f4e6f2f5a1d9c11",
        "monitor_config": {
            "schedule": {"type": "crontab", "value": "17 4 * * *"},
            "timezone": "Europe/Berlin",
            "checkin_margin": 360,
            "max_runtime": 15,
        },
    }
    assert sentry.checked_in == [
        shared | {"status": "in_progress", "duration": None},
        shared | {"status": "ok", "duration": 1.5},
        shared | {"status": "error", "duration": 2.5},
    ]
    assert sentry.flushed == [20, 20, 20]


@pytest.mark.parametrize(
    ("hours", "minutes", "margin", "runtime"),
    [(0, 0, 1, 1), (0.505, 0.2, 31, 1), (10_000, 100_000, 40_320, 10_080)],
)
def test_minutes_that_sentry_takes(sentry, hours, minutes, margin, runtime):
    """Sentry drops a check-in whose minutes are no whole number within its bounds."""
    assert pings.started(monitor(grace_hours=hours, timeout_minutes=minutes)) == []
    config = sentry.checked_in[0]["monitor_config"]
    assert (config["checkin_margin"], config["max_runtime"]) == (margin, runtime)


def test_a_job_without_a_schedule(sentry):
    """What Sentry cannot make a monitor from, it is not sent; the name becomes a slug."""
    assert pings.started(monitor(cron=None, job="Clear sessions.v2")) == []
    assert sentry.checked_in == [
        {
            "monitor_slug": "clear-sessions-v2",
            "check_in_id": RUN.hex,
            "status": "in_progress",
            "duration": None,
            "monitor_config": None,
        }
    ]


def test_sentry_that_was_not_initialised(sentry):
    """A library that is merely imported gets nothing."""
    sentry.initialised = False
    assert say_all(monitor()) == []
    assert (sentry.checked_in, sentry.flushed) == ([], [])


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"error": RuntimeError("secret")}, "an unexpected RuntimeError"),
        ({"error": SystemExit(1)}, "an unexpected SystemExit"),
        ({"taken": False}, "Sentry's client dropped it"),
    ],
)
def test_sentry_that_fails(watcher, sentry, how, reason):
    """What goes wrong in Sentry's client is a warning; the URL gets its signal all the same."""
    for name, value in how.items():
        setattr(sentry, name, value)
    assert pings.started(monitor(f"{watcher.url}/key")) == [
        f"The Sentry check-in of expire_trials could not be sent: {reason}."
    ]
    assert watcher.calls == [Call("POST", f"/key/start?rid={RUN}", b"")]
