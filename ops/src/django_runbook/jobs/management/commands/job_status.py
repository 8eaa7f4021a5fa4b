"""`manage.py job_status`: are the jobs well; for any monitor."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from django_runbook.jobs.management.base import LedgerCommand
from django_runbook.jobs.management.formats import as_json
from django_runbook.jobs.management.tables import health_lines
from django_runbook.jobs.watch.status import check


class Command(LedgerCommand):
    """Prints a line for each finding, and one for each job that is well."""

    help = "Look for slots that were missed, runs that failed and rows that are overdue"

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what was found, or one JSON object; exit code 1 where a job is not well."""
        with self.reading():
            found = check(timezone.now())
        ill = [health for health in found if not health.ok]
        if options["json"]:
            facts = {"ok": bool(found) and not ill, "jobs": [asdict(health) for health in found]}
            self.stdout.write(as_json(facts))
        else:
            for health in found:
                style = self.style.SUCCESS if health.ok else self.style.ERROR
                for line in health_lines(health):
                    self.stdout.write(line, style)
        if not found:
            raise CommandError(
                "No job is declared under [tool.django-runbook.jobs] of pyproject.toml, and no "
                "app registers one: nothing was looked at."
            )
        if ill:
            raise CommandError(f"{len(ill)} of {len(found)} job(s) need a look.")
