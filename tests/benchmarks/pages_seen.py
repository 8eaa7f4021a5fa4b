"""The pages of the jobs that are held against the admin's own index page, and what each costs."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_runbook.jobs.models import Run, Status

#: More queries than the index page has, and more milliseconds.
QUERIES, MILLISECONDS = 10, 150
INDEX = "the admin's index"
JOB = "expire_trials"


@dataclass(frozen=True)
class Seen:
    """What a page costs: queries, and the median of its time on the server in milliseconds."""

    queries: int
    milliseconds: float


def pages() -> dict[str, str]:
    """Run the job once, and return the address of each page, by what it shows or asks."""
    call_command(JOB, stdout=io.StringIO())
    newest = Run.objects.filter(job=JOB, status=Status.SUCCEEDED).latest("pk").pk
    row = get_user_model().objects.order_by("-pk").values_list("account", flat=True)[0]

    def address(name: str, *args: Any) -> str:
        return reverse(f"admin:runbook_jobs_{name}", args=args)

    return {
        INDEX: reverse("admin:index"),
        "jobs": address("job_changelist"),
        "jobs, live": address("job_live"),
        "a job": address("job_change", JOB),
        "a job, its failures": f"{address('job_change', JOB)}?status=FAILED",
        "a row's story": f"{address('job_explain', JOB)}?row={row}",
        "runs": address("run_changelist"),
        "a run": address("run_change", newest),
        "a run, live": address("run_live", newest),
        "a run's batches": address("run_batches", newest),
        "pause?": address("job_act", JOB, "pause"),
        "run now?": address("job_act", JOB, "run"),
        "undo?": address("run_act", newest, "undo"),
    }


def client() -> Client:
    """Return a browser of sorts, in which a superuser has logged in."""
    made = Client()
    users = get_user_model().objects
    made.force_login(users.filter(is_superuser=True).first() or users.create_superuser("boss"))
    return made


def get(browser: Client, address: str) -> Callable[[], int]:
    """Return what gets a page, and must get it; its size comes back."""

    def page() -> int:
        answer = browser.get(address, secure=True)
        assert answer.status_code == 200, (address, answer.status_code, answer.headers)
        return len(answer.content)

    return page


def queries(page: Callable[[], int]) -> int:
    """Count the queries of a page whose templates and caches are warm."""
    page()
    with CaptureQueriesContext(connection) as captured:
        page()
    return len(captured)


def seen(rounds: int) -> dict[str, Seen]:
    """Get each page so many times, in turn with all the others."""
    browser = client()
    gets = {name: get(browser, address) for name, address in pages().items()}
    counted = {name: queries(page) for name, page in gets.items()}
    times: dict[str, list[float]] = {name: [] for name in gets}
    for _ in range(rounds):
        for name, page in gets.items():
            start = time.perf_counter()
            page()
            times[name].append(1_000 * (time.perf_counter() - start))
    return {name: Seen(counted[name], median(times[name])) for name in gets}
