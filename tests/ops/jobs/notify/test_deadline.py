"""Nobody who watches a run can hold it up for longer than the deadline."""

import signal
import socket
import threading
import time

import pytest

from django_runbook.jobs.notify import errands, pings
from tests.ops.jobs.notify.monitoring import given_up, monitor

LATE = "The heartbeat of expire_trials could not be sent: no answer within 0.1 seconds."


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "how", [{"pause": 5}, {"trickle": True}, {"pause": 0.06, "status": 302, "location": "/again"}]
)
def test_a_slow_server_is_left_alone(watcher, how):
    """At the deadline the run goes on: after silence, byte by byte, and on a detour."""
    for name, value in how.items():
        setattr(watcher, name, value)
    begun = time.monotonic()
    assert pings.started(monitor(watcher.url)) == [LATE]
    assert 0.1 <= time.monotonic() - begun < 5


@pytest.mark.usefixtures("hurried")
def test_a_thread_that_was_given_up_ends(watcher):
    """A silent server's connection is closed soon after nobody waits for it."""
    watcher.pause = 5
    assert pings.started(monitor(watcher.url)) == [LATE]
    for thread in given_up():
        thread.join(1)
    assert given_up() == []


@pytest.mark.usefixtures("hurried")
def test_a_slow_name_server_is_left_alone(monkeypatch):
    """No socket's timeout covers the look-up of a name; the deadline does."""
    over = threading.Event()

    def slow(*args):
        over.wait(5)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    begun = time.monotonic()
    assert pings.started(monitor("https://example.test/key")) == [LATE]
    assert 0.1 <= time.monotonic() - begun < 5
    over.set()


def test_the_deadline_is_ten_seconds():
    """What the documentation promises."""
    assert errands.DEADLINE == 10


def test_ctrl_c_is_not_swallowed(watcher):
    """Whoever waits for a slow server can still stop the program."""

    def interrupt(number, frame):
        raise KeyboardInterrupt

    watcher.pause = 5
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            pings.started(monitor(watcher.url))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 5
    watcher.closing.set()


@pytest.mark.slow
def test_both_wait_side_by_side(watcher, sentry, monkeypatch):
    """A slow URL and a slow Sentry share one deadline."""
    monkeypatch.setattr(errands, "DEADLINE", 1.5)
    watcher.pause, sentry.hangs = 5, threading.Event()
    begun = time.monotonic()
    assert pings.started(monitor(watcher.url)) == [
        LATE.replace("0.1", "1.5"),
        "The Sentry check-in of expire_trials could not be sent: no answer within 1.5 seconds.",
    ]
    assert 1.5 <= time.monotonic() - begun < 2.9
    sentry.hangs.set()
