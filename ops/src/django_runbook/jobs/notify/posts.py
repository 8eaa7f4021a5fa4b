"""One POST to an address that is a secret: followed where it is sent on, and seen by no tracer."""

import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from contextvars import Context
from http import HTTPStatus
from http.client import HTTPMessage, InvalidURL
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

from django_runbook.jobs.notify import errands

SCHEMES = {"http", "https"}
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
INVALID = "its address is not valid"


def post(
    url: str, body: bytes, kind: str = TEXT, refusals: Mapping[bytes, str] | None = None
) -> str | None:
    """Post a body, and return why it came to nothing, or None. Raises what urllib raises.

    A user name in the address becomes a header. ``refusals`` are answers that mean none was taken.
    """
    try:
        parts = urlsplit(url.strip())  # a secret is easily pasted with the end of its line
        if parts.scheme not in SCHEMES or not parts.hostname:
            return "its address is not one of http or https"
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        request = _request(bare, body, kind)
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            basic = b64encode(user.encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        opener = urllib.request.build_opener(_Redirects)
        # In an empty context Sentry's tracing has no trace to write the address into.
        with Context().run(opener.open, request, timeout=errands.DEADLINE) as answer:
            return (refusals or {}).get(answer.read(100).strip())
    except HTTPError as error:
        with error:
            return f"the server answered {error.code}"
    except (ValueError, InvalidURL):
        return INVALID


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
        return _request(newurl, req.data, req.get_header("Content-type", TEXT))


def _request(url: str, body: Any, kind: str) -> urllib.request.Request:
    """Return a request; the address is one of ``SCHEMES``, as both callers have seen."""
    headers = {"User-Agent": "django-runbook", "Content-Type": kind}
    return urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310  # http or https
