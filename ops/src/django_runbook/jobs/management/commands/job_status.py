"""`manage.py job_status`: are the jobs well; for any monitor."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from django_runbook.jobs.management.base import LedgerCommand
from django_runbook.jobs.report.formats import as_json
from django_runbook.jobs.report.tables import health_lines
from django_runbook.jobs.watch.status import Health, check, without_values
from django_runbook.jobs.watch.telling import tell_findings
from django_runbook.schema.secrets import shown


class Command(LedgerCommand):
    """Prints a line for each finding, and one for each job that is well."""

    help = "Look for slots that were missed, runs that failed and rows that are overdue"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add who else is told."""
        parser.add_argument(
            "--notify",
            action="store_true",
            help="Tell those of [tool.django-runbook.notify] what was found.",
        )
        super().add_arguments(parser)

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
            headline = f"{len(ill)} of {len(found)} job(s) need a look"
            if options["notify"]:
                self._tell(headline, ill)
            raise CommandError(f"{headline}.")

    def _tell(self, headline: str, ill: Sequence[Health]) -> None:
        lines = [line for health in ill for line in health_lines(without_values(health))]
        for warning in tell_findings(headline, lines):
            self.stderr.write(shown(warning))
