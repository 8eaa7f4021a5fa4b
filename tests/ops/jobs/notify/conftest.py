"""Those who watch, on this machine, and nothing of the machine's own beside them."""

import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from django_runbook.jobs.notify import errands
from tests.ops.jobs.notify.mail_server import MailServer, Server
from tests.ops.jobs.notify.monitoring import Sentry, Watcher, given_up


def serving(server, made):
    """Let a server serve in a thread while ``made`` is used."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.closing.set()
    server.shutdown()
    thread.join()


@pytest.fixture
def watcher():
    """Yield a server on this machine, and wait for what still talks to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            made.take(self)

        def do_GET(self):
            made.take(self)

        def log_message(self, *args):
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            """Say nothing of a client that hung up."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        made = Watcher(f"http://127.0.0.1:{server.server_port}")
        yield from serving(server, made)


@pytest.fixture
def mails():
    """Yield a mail server on this machine."""
    made = MailServer()
    with Server(made) as server:
        yield from serving(server, made)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Take away the machine's proxies and Sentry, and wait for threads that were given up."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delitem(sys.modules, "sentry_sdk", raising=False)
    monkeypatch.delitem(sys.modules, "sentry_sdk.crons", raising=False)
    yield
    for thread in given_up():
        thread.join(5)


@pytest.fixture
def hurried(monkeypatch):
    """Lower the deadline."""
    monkeypatch.setattr(errands, "DEADLINE", 0.1)


@pytest.fixture
def sentry(monkeypatch):
    """Put a stand-in for sentry-sdk where the program finds it."""
    made = Sentry()
    sdk, crons = types.ModuleType("sentry_sdk"), types.ModuleType("sentry_sdk.crons")
    sdk.is_initialized = lambda: made.initialised
    sdk.flush, crons.capture_checkin = made.flush, made.capture_checkin
    monkeypatch.setitem(sys.modules, "sentry_sdk", sdk)
    monkeypatch.setitem(sys.modules, "sentry_sdk.crons", crons)
    return made
