"""Those who watch a job are told of a run, and can neither fail it nor hold it up."""

import errno
import signal
import socket
import sys
import threading
import time
import types
import uuid
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.jobs.notify import pings

RUN = uuid.UUID("0b7e4d52-9a3c-4c0f-8f4e-6f2f5a1d9c11")
LATE = "The heartbeat of expire_trials could not be sent: no answer within 0.1 seconds."
PATH = st.text("abcXYZ019-._~!$'()*+,;=:@%/", max_size=20)
QUERY = st.text("abcXYZ019-._~!$'()*+,;=:@%/?&", max_size=20)


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
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.closing.set()
        server.shutdown()
        thread.join()


def given_up():
    """Return the threads that still send something."""
    names = {"heartbeat", "Sentry check-in"}
    return [thread for thread in threading.enumerate() if thread.name in names]


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
    monkeypatch.setattr(pings, "DEADLINE", 0.1)


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


def monitor(url=None, **changes):
    """Return a monitor of one run."""
    made = pings.Monitor(
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


def test_three_signals(watcher):
    """Start, success and failure go to their paths, with the run and the output's end."""
    assert say_all(monitor(f"{watcher.url}/ping/key")) == []
    assert watcher.calls == [
        Call("POST", f"/ping/key/start?rid={RUN}", b""),
        Call("POST", f"/ping/key?rid={RUN}", b"3 changed"),
        Call("POST", f"/ping/key/fail?rid={RUN}", "Traceback: …".encode()),
    ]


def test_query_slash_and_user_survive(watcher):
    """The URL's own query stays, a last slash is not doubled, a user name becomes a header."""
    url = watcher.url.replace("//", "//ops:p%40ss@") + "/key/job/?create=1"
    assert say_all(monitor(f" {url} \n")) == []
    basic = "Basic b3BzOnBAc3M="  # ops:p@ss
    assert watcher.calls == [
        Call("POST", f"/key/job/start?create=1&rid={RUN}", b"", authorization=basic),
        Call("POST", f"/key/job/?create=1&rid={RUN}", b"3 changed", authorization=basic),
        Call(
            "POST",
            f"/key/job/fail?create=1&rid={RUN}",
            "Traceback: …".encode(),
            authorization=basic,
        ),
    ]


@given(path=PATH, query=QUERY, ending=st.sampled_from(["", "start", "fail"]))
def test_any_url_keeps_its_path_and_query(path, query, ending):
    """Nothing of a URL is lost or changed; only the signal and the run come to it."""
    url = f"https://example.test:8443/{path}" + (f"?{query}" if query else "")
    made = urlsplit(pings.address(url, ending, RUN))
    assert (made.scheme, made.netloc) == ("https", "example.test:8443")
    assert made.path == (f"/{path}".removesuffix("/") + f"/{ending}" if ending else f"/{path}")
    assert made.query == "&".join(filter(None, [query, f"rid={RUN}"]))
    assert parse_qsl(made.query)[-1] == ("rid", str(RUN))


@pytest.mark.parametrize(
    ("note", "body"),
    [
        ("x" * 10_001 + "end", b"x" * 9_997 + b"end"),
        ("…" * 4_000, "…".encode() * 3_333),  # 3 bytes each: the first is cut through, so left out
        ("a\udcffb", b"a?b"),
    ],
)
def test_a_long_note_keeps_its_end(watcher, note, body):
    """At most 10,000 bytes go out, the last ones, and always as valid UTF-8."""
    assert pings.failed(monitor(watcher.url), note=note, seconds=1) == []
    assert watcher.calls == [Call("POST", f"/fail?rid={RUN}", body)]


@pytest.mark.parametrize("url", [None, ""])
def test_nobody_to_tell(monkeypatch, url):
    """Without a URL and without Sentry not even a thread is started."""
    monkeypatch.setattr(pings, "Thread", None)
    assert say_all(monitor(url)) == []


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (500, b"secret", "the server answered 500"),
        (404, b"secret", "the server answered 404"),
        (304, b"", "the server answered 304"),
        (200, b"OK (not found)", "the server knows no such check"),
        (200, b"OK (rate limited)\n", "the server gets too many of them"),
    ],
)
def test_a_server_that_refuses(watcher, status, answer, reason):
    """A status that is no success is a warning, and so is a 200 that says it took nothing."""
    watcher.status, watcher.answer = status, answer
    assert pings.started(monitor(watcher.url)) == [
        f"The heartbeat of expire_trials could not be sent: {reason}."
    ]


@pytest.mark.parametrize("status", [201, 204])
def test_any_success_will_do(watcher, status):
    """A check that was just made answers 201."""
    watcher.status, watcher.answer = status, b""
    assert pings.started(monitor(watcher.url)) == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_keeps_the_body_but_not_the_password(watcher, status):
    """The signal goes on as a POST with its note; a user name stays where it was meant for."""
    watcher.status, watcher.location = status, f"{watcher.url}/moved?x=1"
    url = watcher.url.replace("//", "//ops@")
    assert pings.succeeded(monitor(url), note="done", seconds=1) == []
    assert watcher.calls == [
        Call("POST", f"/?rid={RUN}", b"done", authorization="Basic b3BzOg=="),
        Call("POST", "/moved?x=1", b"done"),
    ]


def test_see_other_is_a_get(watcher):
    """303 is the redirect that asks for another method."""
    watcher.status, watcher.location = 303, f"{watcher.url}/seen"
    url = watcher.url.replace("//", "//ops@")
    assert pings.succeeded(monitor(url), note="done", seconds=1) == []
    assert watcher.calls == [
        Call("POST", f"/?rid={RUN}", b"done", authorization="Basic b3BzOg=="),
        Call("GET", "/seen", b"", kind=None),
    ]


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1:1/x", "data:,x"])
def test_a_redirect_out_of_the_web(watcher, place):
    """A server cannot send us to a file or another protocol."""
    watcher.status, watcher.location = 302, place
    assert pings.started(monitor(watcher.url)) == [
        "The heartbeat of expire_trials could not be sent: the server answered 302."
    ]


def test_nobody_listens():
    """A closed port is a warning."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert pings.started(monitor(f"http://127.0.0.1:{port}/key")) == [
        "The heartbeat of expire_trials could not be sent: connection refused."
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"", "the server hung up"), (b"SSH-2.0-x\r\n", "the answer was not HTTP")],
)
def test_not_a_web_server(answer, reason):
    """Something else that listens there is a warning."""

    def serve():
        connection, _ = server.accept()
        with connection:
            while not connection.recv(65_536).endswith(b"\r\n\r\n"):
                pass
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        said = pings.started(monitor(f"http://127.0.0.1:{server.getsockname()[1]}/key"))
        thread.join()
    assert said == [f"The heartbeat of expire_trials could not be sent: {reason}."]


def test_tls_where_there_is_none(watcher):
    """A server without TLS behind an https address is a warning."""
    assert pings.started(monitor(watcher.url.replace("http:", "https:"))) == [
        "The heartbeat of expire_trials could not be sent: no trusted connection to the server."
    ]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/hostname", "its address is not one of http or https"),
        ("ftp://example.test/x", "its address is not one of http or https"),
        ("example.test/key", "its address is not one of http or https"),
        ("http:///key", "its address is not one of http or https"),
        ("https://[::1/key", "its address is not valid"),
        ("https://example.test:port/key", "its address is not valid"),
        ("https://example.test/a key", "its address is not valid"),
        ("https://example.test/\N{SNOWMAN}", "its address is not valid"),
        ("https://a..b/", "its address is not valid"),
    ],
)
def test_a_wrong_address(monkeypatch, url, reason):
    """An address that is not the web's, or none at all, is a warning; nothing is opened."""
    monkeypatch.setattr(socket.socket, "connect", None)
    assert pings.started(monitor(url)) == [
        f"The heartbeat of expire_trials could not be sent: {reason}."
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(-2, "hush"), "the host's name was not found"),
        (TimeoutError("hush"), "no answer within 10 seconds"),
        (OSError(errno.ENETUNREACH, "hush"), "network is unreachable"),
        (OSError("hush"), "an unexpected OSError"),
        (RuntimeError("hush"), "an unexpected RuntimeError"),
    ],
)
def test_a_network_that_fails(monkeypatch, error, reason):
    """The reason is told in our own words: those of the error may hold the address."""

    def fail(*args):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert pings.started(monitor("https://example.test/key")) == [
        f"The heartbeat of expire_trials could not be sent: {reason}."
    ]


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
    assert pings.DEADLINE == 10


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


def test_no_thread_to_be_had(monkeypatch):
    """A system that gives no more threads is a warning."""

    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pings.Thread, "start", start)
    assert pings.started(monitor("https://example.test/key")) == [
        "The heartbeat of expire_trials could not be sent: no thread could be started."
    ]


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
    monkeypatch.setattr(pings, "Thread", Traced)
    monkeypatch.setattr(HTTPConnection, "putrequest", putrequest)
    trace.set("the job's")
    assert pings.started(monitor(watcher.url)) == []
    assert seen == [None]


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


def test_both_wait_side_by_side(watcher, sentry, monkeypatch):
    """A slow URL and a slow Sentry share one deadline."""
    monkeypatch.setattr(pings, "DEADLINE", 1.5)
    watcher.pause, sentry.hangs = 5, threading.Event()
    begun = time.monotonic()
    assert pings.started(monitor(watcher.url)) == [
        LATE.replace("0.1", "1.5"),
        "The Sentry check-in of expire_trials could not be sent: no answer within 1.5 seconds.",
    ]
    assert 1.5 <= time.monotonic() - begun < 2.9
    sentry.hangs.set()
