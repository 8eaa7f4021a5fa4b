"""`manage.py stop_run RUN [--reason TEXT]`: a run ends after its batch."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from django_runbook.jobs.ledger.stops import StopAsked, ask_to_stop
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.management.base import LedgerCommand
from django_runbook.jobs.report.formats import as_json
from django_runbook.text.cleaning import unbroken
from django_runbook.text.numbers import whole


class Command(LedgerCommand):
    """Writes it into the ledger, where the run sees it within a few seconds."""

    help = "Ask a run to end after its batch, with exit code 4"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the run, and why."""
        parser.add_argument(
            "run", type=whole(least=1), metavar="RUN", help="The number of the run."
        )
        parser.add_argument(
            "--reason", default="", metavar="TEXT", help="Why; it is kept in the ledger."
        )
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask; exit code 3 where the run is not running."""
        with self.reading():
            asked = ask_to_stop(options["run"], who=Who.here(), reason=options["reason"])
        self.stdout.write(as_json(asdict(asked)) if options["json"] else unbroken(_line(asked)))


def _line(asked: StopAsked) -> str:
    """Say that it will end, or who has asked before."""
    which = f"Run {asked.run} of {asked.job}"
    if asked.again:
        return f"{which} was asked to end before, by {asked.reason}."
    return f"{which} ends after its batch; 'inv jobs.show {asked.run}' shows how it came out."
