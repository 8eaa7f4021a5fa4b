"""A heartbeat goes to its address with the run and a note, and a server's answer is read."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.jobs.notify import errands, pings
from tests.ops.jobs.notify.monitoring import RUN, Call, monitor, say_all

PATH = st.text("abcXYZ019-._~!$'()*+,;=:@%/", max_size=20)
QUERY = st.text("abcXYZ019-._~!$'()*+,;=:@%/?&", max_size=20)


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
    monkeypatch.setattr(errands, "Thread", None)
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


def test_no_secret_is_sent(watcher, monkeypatch):
    """What a watcher gets of the output holds neither a password nor a secret of the process."""
    monkeypatch.setenv("DEPLOY_TOKEN", "s3cr3t-of-env")
    note = "see postgres://me:p@ss/w0rd@host/x with s3cr3t-of-env"
    assert pings.failed(monitor(f"{watcher.url}/key"), note=note, seconds=1) == []
    sent = b"see postgres://me:***@host/x with ***"
    assert watcher.calls == [Call("POST", f"/key/fail?rid={RUN}", sent)]
