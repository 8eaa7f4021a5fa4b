"""The address of a heartbeat is a secret: no warning and no trace holds it."""

import threading
from contextvars import ContextVar, copy_context
from functools import partial
from http.client import HTTPConnection

import pytest

from django_runbook.jobs.notify import errands, pings
from tests.ops.jobs.notify.monitoring import monitor


@pytest.mark.parametrize(
    "url",
    [
        "{}/hush?hush=hush",
        "{}/hush hush",
        "http://hush:hush@127.0.0.1:hush/hush",
        "http://hush@127.0.0.1:1/hush",
        "http://hush@[hush/hush",
        "hush://hush/hush",
        "hush",
        "file:///hush",
        "http://hush..hush/",
    ],
)
def test_the_address_stays_secret(watcher, url):
    """No part of a URL is in a warning, or in the monitor's own text, however it goes wrong."""
    watcher.status, watcher.answer = 500, b"hush"
    watched = monitor(url.format(watcher.url.replace("//", "//hush:hush@")))
    said = pings.started(watched)
    assert len(said) == 1
    assert "hush" not in said[0] + repr(watched)


def test_a_tracer_does_not_see_the_address(watcher, monkeypatch):
    """Sentry hands its trace to new threads, and notes each request in it: not this one."""
    trace, seen = ContextVar("trace"), []

    class Traced(threading.Thread):
        def start(self):
            self.run = partial(copy_context().run, self.run)
            super().start()

    def putrequest(*args, **options):
        seen.append(trace.get(None))
        return real(*args, **options)

    real = HTTPConnection.putrequest
    monkeypatch.setattr(errands, "Thread", Traced)
    monkeypatch.setattr(HTTPConnection, "putrequest", putrequest)
    trace.set("the job's")
    assert pings.started(monitor(watcher.url)) == []
    assert seen == [None]
