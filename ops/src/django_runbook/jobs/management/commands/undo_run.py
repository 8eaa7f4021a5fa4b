"""`manage.py undo_run RUN`: what a run changed, put back."""

import datetime
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from django_runbook.jobs.batches.undo import UndoResult, undo_run
from django_runbook.jobs.management.base import RecordedCommand
from django_runbook.jobs.management.formats import as_json, moment
from django_runbook.jobs.watch.status import due_now, next_slot
from django_runbook.schema.guard.commands import add_confirm, confirmed
from django_runbook.text.numbers import whole


class Command(RecordedCommand):
    """Asks on a protected target, calls the service, prints."""

    help = "Put back the rows that a run changed and that are still as it set them"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the run."""
        parser.add_argument(
            "run", type=whole(least=1), metavar="RUN", help="The number of the run."
        )
        super().add_arguments(parser)
        add_confirm(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Undo the run; exit code 3 where that is refused, 4 where it was stopped early."""
        with self.running(options) as run:
            confirmed(options, f"Undo run {options['run']} in")
            done = undo_run(options["run"], order=run.order, stop=run.stop, watch=run.watch)
            now = timezone.now()
            due, slot = due_now(done.job, now), next_slot(done.job, now)
        if options["json"]:
            self.stdout.write(as_json({**asdict(done), "due_now": due, "next_slot": slot}))
        else:
            self.stdout.write(_lines(done, due, slot))
        goes_on = f"'inv jobs.undo {done.undoes}' goes on."
        self.finish(done.status, done.reason, done.warnings, goes_on=goes_on)


def _lines(done: UndoResult, due: int | None, slot: datetime.datetime | None) -> str:
    """Say what was put back, what was left and why, and what comes of it."""
    of = f"{done.changed:,} row(s) that run {done.undoes} of {done.job} changed"
    lines = [f"Put back {done.restored:,} of {of}; this is run {done.run}."]
    lines += [f"Left alone: {count:,} row(s), {why}." for why, count in done.others.items()]
    if done.left:
        lines.append(f"Not looked at: {done.left:,} row(s).")
    if due:
        at = f", at {moment(slot)}" if slot else ""
        lines.append(
            f"{due:,} row(s) are due now: the next run of {done.job}{at}, changes them again, "
            "unless its rule, its schedule or the rows are changed before."
        )
    return "\n".join(lines)
