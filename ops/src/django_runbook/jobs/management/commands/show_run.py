"""`manage.py show_run RUN`: everything that the ledger knows of one run, or of its rows."""

from dataclasses import asdict
from itertools import chain
from typing import Any

from django.core.management.base import CommandParser

from django_runbook.jobs.ledger.reading.details import details
from django_runbook.jobs.ledger.reading.queries import get_run
from django_runbook.jobs.ledger.reading.rows import batch_ids
from django_runbook.jobs.management.base import LedgerCommand
from django_runbook.jobs.models import Run
from django_runbook.jobs.report.details import next_step, run_lines
from django_runbook.jobs.report.formats import as_json
from django_runbook.text.cleaning import one_line
from django_runbook.text.numbers import whole


class Command(LedgerCommand):
    """Prints the facts line by line, and what to do next where the run did not come to its end."""

    help = "Show a run: its parameters, its change, its batches, its output, what to do next"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the run, and ``--ids``."""
        parser.add_argument(
            "run", type=whole(least=1), metavar="RUN", help="The number of the run."
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--ids", action="store_true", help="Print the keys of its rows, one a line."
        )
        what.add_argument(
            "--failed",
            action="store_true",
            help="Print the rows that it could not change, each with its error.",
        )
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the run, its rows, or one JSON object."""
        with self.reading():
            if options["ids"]:
                self._print_ids(options["run"], as_list=options["json"])
                return
            if options["failed"]:
                self._print_failed(get_run(options["run"]), as_list=options["json"])
                return
            found = details(options["run"])
        if options["json"]:
            facts = asdict(found)
            self.stdout.write(as_json({**facts.pop("state"), **facts, "next": next_step(found)}))
            return
        for line in run_lines(found):
            self.stdout.write(line)

    def _print_failed(self, run: Run, *, as_list: bool) -> None:
        rows = run.failed_rows.order_by("pk").values("key", "error", "at")
        if as_list:
            self.stdout.write(as_json({"failed": run.failed, "rows": list(rows)}))
            return
        listed = 0
        for row in rows.iterator():
            listed += 1
            self.stdout.write(f"{one_line(row['key'])}  {one_line(row['error'])}")
        if listed < run.failed:
            self.stdout.write(f"and {run.failed - listed:,} more, which the ledger does not list")
        if not run.failed:
            self.stdout.write(f"Run {run.pk} had no row that it could not change.")

    def _print_ids(self, run: int, *, as_list: bool) -> None:
        batches = batch_ids(get_run(run))
        if as_list:
            self.stdout.write(as_json(list(chain.from_iterable(batches))))
            return
        for ids in batches:
            self.stdout.write("\n".join(map(one_line, ids)))
