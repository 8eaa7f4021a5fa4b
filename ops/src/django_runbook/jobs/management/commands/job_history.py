"""`manage.py job_history`: the newest runs, newest first, and the pauses of that time."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from django_runbook.jobs.ledger.pauses import pauses
from django_runbook.jobs.ledger.reading.history import RunState, history
from django_runbook.jobs.management.base import LedgerCommand
from django_runbook.jobs.report.formats import as_json
from django_runbook.jobs.report.tables import history_lines, pause_lines
from django_runbook.text.cleaning import unbroken
from django_runbook.text.numbers import whole


class Command(LedgerCommand):
    """Prints one line for each run; two on a terminal that is too narrow for it."""

    help = (
        "Show the newest runs: status, times, rows, who, what undid or continued them; and pauses"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what to show."""
        parser.add_argument("--job", metavar="NAME", help="Runs of this job alone.")
        parser.add_argument(
            "--count", type=whole(least=1), default=20, metavar="N", help="How many (default: 20)."
        )
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the runs while they are read, or one JSON list."""
        job = options["job"]
        with self.reading():
            runs = _Seen(history(job, count=options["count"]))
            if options["json"]:
                self._print_json(runs)
                return
            terminal = self.stdout.isatty()
            columns = shutil.get_terminal_size().columns if terminal else None
            for line in history_lines(runs, columns=columns):
                self.stdout.write(line)
            if runs.last is None:
                of = f" of {job}" if job else ""
                self.stdout.write(unbroken(f"The ledger has no run{of}."))
            cut = runs.count == options["count"]  # there may be older ones
            since = runs.last.started if cut and runs.last else None
            for line in pause_lines(pauses(job, since=since)):
                self.stdout.write(line)

    def _print_json(self, runs: Iterable[RunState]) -> None:
        between = "["
        for run in runs:
            self.stdout.write(between + as_json(asdict(run)), ending="")
            between = ", "
        self.stdout.write("]" if between == ", " else "[]")


class _Seen(Iterator[RunState]):
    """Hands runs on, counts them, and keeps the last one."""

    def __init__(self, runs: Iterator[RunState]) -> None:
        self._runs = runs
        self.last: RunState | None = None
        self.count = 0

    def __next__(self) -> RunState:
        self.last = next(self._runs)
        self.count += 1
        return self.last
