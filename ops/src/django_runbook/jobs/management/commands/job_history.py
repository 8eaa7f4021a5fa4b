"""`manage.py job_history`: the newest runs, newest first."""

import shutil
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from django_runbook.jobs.ledger.history import history
from django_runbook.jobs.management.base import LedgerCommand
from django_runbook.jobs.management.formats import as_json
from django_runbook.jobs.management.tables import history_lines
from django_runbook.text.cleaning import unbroken
from django_runbook.text.numbers import whole


class Command(LedgerCommand):
    """Prints one line for each run; two on a terminal that is too narrow for it."""

    help = "Show the newest runs: status, times, rows, who, and what undid or continued them"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what to show."""
        parser.add_argument("--job", metavar="NAME", help="Runs of this job alone.")
        parser.add_argument(
            "--count", type=whole(least=1), default=20, metavar="N", help="How many (default: 20)."
        )
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the runs, or one JSON list."""
        with self.reading():
            runs = history(options["job"], count=options["count"])
        if options["json"]:
            self.stdout.write(as_json([asdict(run) for run in runs]))
            return
        if not runs:
            of = f" of {options['job']}" if options["job"] else ""
            self.stdout.write(unbroken(f"The ledger has no run{of}."))
            return
        lines = history_lines(runs, folded=False)
        width = max(map(len, lines))
        if self.stdout.isatty() and width > shutil.get_terminal_size().columns:
            lines = history_lines(runs, folded=True)
        for line in lines:
            self.stdout.write(line)
