"""`manage.py list_jobs`: the jobs, when they run next, and how they came out last."""

from dataclasses import asdict
from typing import Any

from django.utils import timezone

from django_runbook.jobs.management.base import LedgerCommand
from django_runbook.jobs.report.formats import as_json
from django_runbook.jobs.report.tables import job_lines
from django_runbook.jobs.watch.status import jobs


class Command(LedgerCommand):
    """Prints declared jobs, and those that only an app or the ledger knows."""

    help = "List the jobs: schedule, next slot (in UTC) and last run"

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each job, or one JSON list."""
        with self.reading():
            found = jobs(timezone.now())
        if options["json"]:
            self.stdout.write(as_json([asdict(job) for job in found]))
            return
        for line in job_lines(found):
            self.stdout.write(line)
        if not found:
            self.stdout.write(
                "No job is declared under [tool.django-runbook.jobs] of pyproject.toml."
            )
