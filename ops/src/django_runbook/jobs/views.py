"""The state of the jobs for monitors outside: JSON behind a token."""

import datetime
import hmac
import os
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from django_runbook.config import ConfigError
from django_runbook.jobs.watch.status import Health, check

#: The setting, else the environment variable, that holds what a monitor must know.
TOKEN = "RUNBOOK_STATUS_TOKEN"  # noqa: S105  # its name
FINDINGS = ("missed", "failed", "stopped", "slow", "overdue")


@login_not_required
@non_atomic_requests
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Answer 200 where every job is well, and 503 where one is not, or nobody can say.

    For those who send ``Authorization: Bearer`` with the token alone; without a configured token
    there is no such page. Nothing is told of rows, of reasons and of what was printed.
    """
    answer = _answer(request)
    answer["Cache-Control"] = "no-store"
    return answer


def _answer(request: HttpRequest) -> HttpResponse:
    token = str(getattr(settings, TOKEN, None) or os.environ.get(TOKEN, "")).strip()
    if not token:
        return HttpResponse(status=HTTPStatus.NOT_FOUND)
    if not _knows(token, request.headers.get("Authorization", "")):
        refusal = HttpResponse(status=HTTPStatus.UNAUTHORIZED)
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    try:
        found = check(datetime.datetime.now(datetime.UTC))
    except (Error, ConfigError):
        return JsonResponse({"ok": False}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    ok = bool(found) and all(health.ok for health in found)
    code = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"ok": ok, "jobs": _jobs(found)}, status=code)


def _knows(token: str, header: str) -> bool:
    scheme, _, given = header.partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    return right and scheme.lower() == "bearer"


def _jobs(found: Sequence[Health]) -> list[dict[str, Any]]:
    return [
        {
            "job": health.job,
            "ok": health.ok,
            "state": health.state,
            "findings": [name for name in FINDINGS if getattr(health, name)],
            "paused": health.paused is not None,
            "next_slot": health.next_slot,
            "last": health.last
            and {
                "status": health.last.status,
                "started": health.last.started,
                "finished": health.last.finished,
            },
        }
        for health in found
    ]
