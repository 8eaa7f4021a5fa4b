"""Whoever cannot be reached is a warning, and the run goes on."""

import errno
import socket
import threading

import pytest

from django_runbook.jobs.notify import errands, pings
from tests.ops.jobs.notify.monitoring import monitor


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


def test_no_thread_to_be_had(monkeypatch):
    """A system that gives no more threads is a warning."""

    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(errands.Thread, "start", start)
    assert pings.started(monitor("https://example.test/key")) == [
        "The heartbeat of expire_trials could not be sent: no thread could be started."
    ]
