"""`manage.py resume_job NAME`: the end of a job's pause."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from django_runbook.jobs.ledger.pauses import resume
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.management.base import LedgerCommand, require_command
from django_runbook.jobs.report.formats import as_json, moment
from django_runbook.jobs.report.tables import pause_lines
from django_runbook.jobs.watch.status import next_slot
from django_runbook.text.cleaning import unbroken


class Command(LedgerCommand):
    """Writes the end into the ledger; what was paused meanwhile is not done after all."""

    help = "End the pause of a job"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the job."""
        parser.add_argument("name", metavar="NAME", help="The job, such as expire_trials.")
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """End it; exit code 0 also where the job is not paused."""
        name = options["name"]
        with self.reading():
            ended = resume(name, who=Who.here())
            if not ended:
                require_command(name)
            slot = next_slot(name, timezone.now())
        if options["json"]:
            facts = {"job": name, "ended": [asdict(each) for each in ended], "next_slot": slot}
            self.stdout.write(as_json(facts))
            return
        if not ended:
            self.stdout.write(unbroken(f"{name} is not paused."))
            return
        for line in pause_lines(ended):
            self.stdout.write(line)
        if slot:
            self.stdout.write(f"Its next slot is {moment(slot)}; 'inv jobs.run {name}' is sooner.")
