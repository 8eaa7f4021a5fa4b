"""Tells those who watch a job that a run started, succeeded or failed: a ping URL, and Sentry.

The URL speaks Healthchecks' protocol (healthchecks.io/docs/http_api). Sentry gets a check-in, which
also makes the monitor and keeps its schedule (docs.sentry.io/product/crons); it takes part where
sentry-sdk 2 is installed and initialised. Telling them never fails a run and never holds one up
for longer than ``DEADLINE``.
"""

import math
import os
import re
import socket
import ssl
import sys
import time
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, InvalidURL
from importlib import import_module
from threading import Thread
from types import ModuleType
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from django_runbook.schema.secrets import masked

DEADLINE = 10.0  # seconds, for both together
NOTE_BYTES = 10_000  # what a Healthchecks server keeps of a body, unless it is told otherwise
SCHEMES = {"http", "https"}
HEADERS = {"User-Agent": "django-runbook", "Content-Type": "text/plain; charset=utf-8"}
#: healthchecks.io answers 200 even where it took nothing, for old clients (bdd/runitor issue 66)
REFUSALS = {
    b"OK (not found)": "the server knows no such check",
    b"OK (rate limited)": "the server gets too many of them",
}
#: most minutes that Sentry's src/sentry/monitors/validators.py lets through; the least is 1
LONGEST_MARGIN = 40_320
LONGEST_RUNTIME = 10_080


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """Who is told of a run."""

    job: str  # as a slug, Sentry's monitor too
    run: uuid.UUID  # Healthchecks' rid, Sentry's check_in_id
    url: str | None = field(repr=False)  # whoever knows it can ping: a secret
    cron: str | None
    timezone: str
    timeout_minutes: float
    grace_hours: float


def started(monitor: Monitor) -> list[str]:
    """Tell that the run begins, and return a line for each who could not be told.

    Raises nothing but what a signal's handler raises, as Ctrl-C does.
    """
    return _tell(monitor, "start", "in_progress")


def succeeded(monitor: Monitor, *, note: str, seconds: float) -> list[str]:
    """Tell that the run succeeded, with the end of ``note``. Returns and raises as ``started``."""
    return _tell(monitor, "", "ok", note, seconds)


def failed(monitor: Monitor, *, note: str, seconds: float) -> list[str]:
    """Tell that the run failed, with the end of ``note``. Returns and raises as ``started``."""
    return _tell(monitor, "fail", "error", note, seconds)


def address(url: str, ending: str, run: uuid.UUID) -> str:
    """Return the address of a signal: the URL's own path and query stay, its user name does not.

    ``/start`` and ``/fail`` come after the path, whose last slash is not doubled: Healthchecks
    routes neither ``//start`` nor ``/start/``. Raises ``ValueError`` for what is no URL.
    """
    parts = urlsplit(url)
    return parts._replace(
        netloc=parts.netloc.rpartition("@")[2],
        path=f"{parts.path.removesuffix('/')}/{ending}" if ending else parts.path,
        query=f"{parts.query}&rid={run}" if parts.query else f"rid={run}",
    ).geturl()


def _tell(
    monitor: Monitor, ending: str, status: str, note: str = "", seconds: float | None = None
) -> list[str]:
    errands: dict[str, Callable[[], str | None]] = {}
    if monitor.url:
        errands["heartbeat"] = partial(_ping, monitor.url, ending, monitor.run, note)
    sdk = sys.modules.get("sentry_sdk")  # who initialised it has imported it
    if sdk:
        errands["Sentry check-in"] = partial(_check_in, sdk, monitor, status, seconds)
    return [
        f"The {name} of {monitor.job} could not be sent: {reason}."
        for name, reason in _carried_out(errands).items()
        if reason
    ]


def _carried_out(errands: Mapping[str, Callable[[], str | None]]) -> dict[str, str | None]:
    """Do all at once, and return why each came to nothing, or None.

    A socket's timeout bounds neither a name's look-up, nor an answer that comes byte by byte, nor
    redirects. So threads do the work, and are left to themselves at the deadline.
    """
    reasons: dict[str, str | None] = dict.fromkeys(errands, _late())

    def carry_out(name: str) -> None:
        try:
            reasons[name] = errands[name]()
        except BaseException as error:  # noqa: BLE001  # a heartbeat never fails a run
            reasons[name] = _why(error)

    end = time.monotonic() + DEADLINE
    threads = []
    for name in errands:
        thread = Thread(target=carry_out, args=(name,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            reasons[name] = "no thread could be started"
        else:
            threads.append(thread)
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(reasons)


def _ping(url: str, ending: str, run: uuid.UUID, note: str) -> str | None:
    """Send one signal and return why it came to nothing, or None. Raises what urllib raises."""
    url = url.strip()  # a secret is easily pasted with the end of its line
    try:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            return "its address is not one of http or https"
        body = masked(note).encode(errors="replace")[-NOTE_BYTES:].decode(errors="ignore").encode()
        request = _post(address(url, ending, run), body)
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            basic = b64encode(user.encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        opener = urllib.request.build_opener(_Redirects)
        # In an empty context Sentry's tracing has no trace to write the address into.
        with Context().run(opener.open, request, timeout=DEADLINE) as answer:
            return REFUSALS.get(answer.read(100).strip())
    except HTTPError as error:
        with error:
            return f"the server answered {error.code}"
    except (ValueError, InvalidURL):
        return "its address is not valid"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows with method and body, where urllib makes a GET of it or gives up; no FTP."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in SCHEMES:
            return None
        if code == HTTPStatus.SEE_OTHER:  # the one that asks for a GET
            return super().redirect_request(req, fp, code, msg, headers, newurl)
        return _post(newurl, req.data)


def _post(url: str, body: Any) -> urllib.request.Request:
    """Return a request; the address is one of ``SCHEMES``, as both callers have seen."""
    return urllib.request.Request(url, data=body, headers=HEADERS, method="POST")  # noqa: S310  # http or https


def _check_in(sdk: ModuleType, monitor: Monitor, status: str, seconds: float | None) -> str | None:
    """Send a check-in and return why it came to nothing, or None. Raises what Sentry raises.

    Sentry's client tells nobody that a server refused an event; only one that it dropped itself,
    or that still waits at the deadline, is seen here.
    """
    if not sdk.is_initialized():
        return None
    sent = import_module("sentry_sdk.crons").capture_checkin(
        monitor_slug=re.sub(r"[^a-z0-9_-]+", "-", monitor.job.lower()),
        check_in_id=monitor.run.hex,
        status=status,
        duration=seconds,
        monitor_config=_config(monitor),
    )
    sdk.flush(timeout=2 * DEADLINE)  # longer than anyone waits: the deadline then says so
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


def _late() -> str:
    return f"no answer within {DEADLINE:g} seconds"


def _why(error: BaseException) -> str:
    """Return the reason in words of our own: those of an error often hold the address."""
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    match error:
        case TimeoutError():
            return _late()
        case socket.gaierror():
            why = "the host's name was not found"
        case ssl.SSLError():
            why = "no trusted connection to the server"
        case OSError(errno=int(code)):
            why = os.strerror(code).lower()
        case ConnectionError():
            why = "the server hung up"
        case HTTPException():
            why = "the answer was not HTTP"
        case _:
            why = f"an unexpected {type(error).__name__}"
    return why
