"""Tells those who watch a job that a run started, succeeded or failed: a ping URL, and Sentry.

The URL speaks Healthchecks' protocol (healthchecks.io/docs/http_api). Telling them never fails a
run and never holds one up for longer than the deadline of the errands.
"""

import uuid
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from django_runbook.jobs.notify import posts, sentry
from django_runbook.jobs.notify.errands import Errand, undone
from django_runbook.jobs.notify.monitor import Monitor
from django_runbook.schema.secrets import masked

NOTE_BYTES = 10_000  # what a Healthchecks server keeps of a body, unless it is told otherwise
#: healthchecks.io answers 200 even where it took nothing, for old clients (bdd/runitor issue 66)
REFUSALS = {
    b"OK (not found)": "the server knows no such check",
    b"OK (rate limited)": "the server gets too many of them",
}


def started(monitor: Monitor, *, beside: Mapping[str, Errand] | None = None) -> list[str]:
    """Tell that the run begins, and return a line for each who could not be told.

    ``beside`` are errands to be done at the same time, under the same deadline. Raises nothing but
    what a signal's handler raises, as Ctrl-C does.
    """
    return _tell(monitor, "start", "in_progress", beside=beside)


def succeeded(
    monitor: Monitor, *, note: str, seconds: float, beside: Mapping[str, Errand] | None = None
) -> list[str]:
    """Tell that the run succeeded, with the end of ``note``. Returns and raises as ``started``."""
    return _tell(monitor, "", "ok", note, seconds, beside)


def failed(
    monitor: Monitor, *, note: str, seconds: float, beside: Mapping[str, Errand] | None = None
) -> list[str]:
    """Tell that the run failed, with the end of ``note``. Returns and raises as ``started``."""
    return _tell(monitor, "fail", "error", note, seconds, beside)


def logged(url: str, note: str) -> str | None:
    """Let the server write a note down, which says neither that a run came nor how it ended.

    Returns why it came to nothing, or None. Raises what urllib raises.
    """
    return _ping(url, "log", uuid.uuid4(), note)


def address(url: str, ending: str, run: uuid.UUID) -> str:
    """Return the address of a signal: the URL's own path and query stay.

    ``/start``, ``/fail`` and ``/log`` come after the path, whose last slash is not doubled:
    Healthchecks routes neither ``//start`` nor ``/start/``. Raises ``ValueError`` for what is no
    URL.
    """
    parts = urlsplit(url)
    return parts._replace(
        path=f"{parts.path.removesuffix('/')}/{ending}" if ending else parts.path,
        query=f"{parts.query}&rid={run}" if parts.query else f"rid={run}",
    ).geturl()


def _tell(
    monitor: Monitor,
    ending: str,
    status: str,
    note: str = "",
    seconds: float | None = None,
    beside: Mapping[str, Errand] | None = None,
) -> list[str]:
    errands: dict[str, Errand] = {}
    if monitor.url:
        errands["heartbeat"] = partial(_ping, monitor.url, ending, monitor.run, note)
    if sdk := sentry.library():
        errands["Sentry check-in"] = partial(sentry.check_in, sdk, monitor, status, seconds)
    return undone(monitor.job, {**errands, **(beside or {})})


def _ping(url: str, ending: str, run: uuid.UUID, note: str) -> str | None:
    """Send one signal and return why it came to nothing, or None. Raises what urllib raises."""
    try:
        to = address(url.strip(), ending, run)
    except ValueError:
        return posts.INVALID
    body = masked(note).encode(errors="replace")[-NOTE_BYTES:].decode(errors="ignore").encode()
    return posts.post(to, body, refusals=REFUSALS)
