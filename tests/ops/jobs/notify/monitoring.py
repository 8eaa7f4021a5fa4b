"""A server and a Sentry that write down what they are told, and a monitor of one run."""

import threading
import uuid
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler

from django_runbook.jobs.notify import pings
from django_runbook.jobs.notify.monitor import Monitor

RUN = uuid.UUID("0b7e4d52-9a3c-4c0f-8f4e-6f2f5a1d9c11")


@dataclass(frozen=True)
class Call:
    """One request, whole."""

    method: str
    target: str
    body: bytes
    agent: str | None = "django-runbook"
    kind: str | None = "text/plain; charset=utf-8"
    authorization: str | None = None


@dataclass
class Watcher:
    """An HTTP server that writes down its requests and answers as it is told."""

    url: str
    calls: list[Call] = field(default_factory=list)
    status: int = 200
    answer: bytes = b"OK"
    location: str | None = None
    pause: float = 0  # seconds before each answer
    trickle: bool = False  # a byte of the headers now and then, for ever
    closing: threading.Event = field(default_factory=threading.Event)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        read = handler.headers.get
        body = handler.rfile.read(int(read("Content-Length", "0")))
        seen = [read(name) for name in ("User-Agent", "Content-Type", "Authorization")]
        self.calls.append(Call(handler.command, handler.path, body, *seen))
        self.closing.wait(self.pause)
        if self.trickle:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not self.closing.wait(0.02):
                handler.wfile.write(b"x")
            return
        handler.send_response(self.status)
        if self.location:
            handler.send_header("Location", self.location)
            self.location = None
            self.status = 200
        handler.end_headers()
        handler.wfile.write(self.answer)


def given_up():
    """Return the threads that still send something."""
    names = {"heartbeat", "Sentry check-in", "mail", "webhook"}
    return [thread for thread in threading.enumerate() if thread.name in names]


@dataclass
class Sentry:
    """What stands in for sentry-sdk."""

    checked_in: list[dict] = field(default_factory=list)
    flushed: list[float] = field(default_factory=list)
    initialised: bool = True
    taken: bool = True
    error: BaseException | None = None
    hangs: threading.Event | None = None

    def capture_checkin(self, **values):
        """Write a check-in down."""
        if self.error:
            raise self.error
        self.checked_in.append(values)
        return values["check_in_id"] if self.taken else None

    def flush(self, timeout):
        """Wait for the server, as it were."""
        self.flushed.append(timeout)
        if self.hangs:
            self.hangs.wait(5)


def monitor(url=None, **changes):
    """Return a monitor of one run."""
    made = Monitor(
        job="expire_trials",
        run=RUN,
        url=url,
        cron="17 4 * * *",
        timezone="Europe/Berlin",
        timeout_minutes=15,
        grace_hours=6,
    )
    return replace(made, **changes)


def say_all(watched):
    """Send every signal, and return the warnings of all."""
    return [
        *pings.started(watched),
        *pings.succeeded(watched, note="3 changed", seconds=1.5),
        *pings.failed(watched, note="Traceback: …", seconds=2.5),
    ]
