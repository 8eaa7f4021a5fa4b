"""`manage.py job_preflight`: may a job run here and now? Reads only."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from django_runbook.jobs import registry
from django_runbook.jobs.management.base import in_one_line, require_command
from django_runbook.jobs.management.exact import ExactCommand
from django_runbook.jobs.watch.preflight import preflight
from django_runbook.schema.history.unknown import said
from django_runbook.text.cleaning import unbroken


class Command(ExactCommand):
    """Prints the target; exit code 3 where something is in the way."""

    help = "Check what a job needs: the target, its migrations, the clock"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the job and ``--json``."""
        parser.add_argument("job", nargs="?", help="A job, whose declaration is read too.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look, and say what was seen."""
        with in_one_line():
            if options["job"]:
                require_command(options["job"])
                registry.job(options["job"])
            seen = preflight(timezone.now())
        if newer := said(seen.unknown):
            self.stderr.write(newer)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(seen)))
            return
        at = seen.target
        self.stdout.write(unbroken(f"target  {at.environment} {at.engine} {at.database}"))
        self.stdout.write("schema  every migration is applied")
        self.stdout.write(f"clock   {seen.skew:+.1f} s from the database's")
