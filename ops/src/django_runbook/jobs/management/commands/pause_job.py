"""`manage.py pause_job NAME --reason TEXT [--until TIME]`: no run begins for a while."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from django_runbook.jobs.ledger.pauses import Paused, pause, paused_text
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.management.base import USAGE, LedgerCommand, require_command
from django_runbook.jobs.management.times import instant
from django_runbook.jobs.report.formats import as_json
from django_runbook.text.cleaning import unbroken


class Command(LedgerCommand):
    """Writes the pause into the ledger, where each start of the job finds it."""

    help = "Pause a job: no run of it begins, and its slots are neither claimed nor missed"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the job, how long, and why."""
        parser.add_argument("name", metavar="NAME", help="The job, such as expire_trials.")
        parser.add_argument(
            "--until",
            type=instant,
            metavar="TIME",
            help="When it ends by itself, as in 2026-03-01T04:00Z (default: with jobs.resume).",
        )
        parser.add_argument(
            "--reason", required=True, metavar="TEXT", help="Why; it is kept in the ledger."
        )
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Pause it; exit code 3 where it is paused already."""
        name, until = options["name"], options["until"]
        require_command(name)
        if not options["reason"].strip():
            raise CommandError('Say why, as in --reason "the new price list".', returncode=USAGE)
        if until and until <= timezone.now():
            raise CommandError(f"--until {until:%Y-%m-%dT%H:%MZ} is over.", returncode=USAGE)
        with self.reading():
            made = pause(name, until=until, reason=options["reason"], who=Who.here())
        self.stdout.write(as_json(asdict(made)) if options["json"] else _lines(made))


def _lines(made: Paused) -> str:
    """Say what holds from now on, and what goes on."""
    job = made.pause.job
    lines = [f"{job} is {paused_text(made.pause)}. 'inv jobs.resume {job}' ends it."]
    lines += [f"Run {run} goes on; 'inv jobs.stop {run}' ends it." for run in made.running]
    return "\n".join(map(unbroken, lines))
