"""`manage.py undo_run RUN`: what a run changed, put back."""

import datetime
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django.utils import timezone

from django_runbook.jobs.batches.stopping import Stop, breakable
from django_runbook.jobs.batches.undo.undo_run import UndoResult, plan_undo, undo_run
from django_runbook.jobs.errors import StoppedError
from django_runbook.jobs.management.base import RecordedCommand, add_token
from django_runbook.jobs.report.actions import undo_action
from django_runbook.jobs.report.formats import as_json, moment
from django_runbook.jobs.watch.status import due_now, next_slot
from django_runbook.schema.guard.commands import add_confirm, confirmed
from django_runbook.text.numbers import whole

#: Runs that are named beside the number of rows that they own.
MOST_NAMED = 3


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
        add_token(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Undo the run; exit code 3 where that is refused, 4 where it was stopped early."""
        with self.running(options) as run:
            plan = breakable(run.stop, connection, lambda: plan_undo(options["run"]))
            confirmed(options, undo_action(plan))
            done = undo_run(options["run"], order=run.order, stop=run.stop, watch=run.watch)
            due, slot = _coming(done.job, run.stop)
        if options["json"]:
            self.stdout.write(as_json({**asdict(done), "due_now": due, "next_slot": slot}))
        else:
            self.stdout.write(_lines(done, due, slot))
        goes_on = f"'inv jobs.undo {done.undoes}' goes on."
        self.finish(done.status, done.reason, done.warnings, goes_on=goes_on)


def _coming(job: str, stop: Stop) -> tuple[int | None, datetime.datetime | None]:
    """Return how many rows are due now, if that can be waited for, and the next slot."""
    now = timezone.now()
    slot = next_slot(job, now)
    try:
        return breakable(stop, connection, lambda: due_now(job, now)), slot
    except StoppedError:
        return None, slot


def _lines(done: UndoResult, due: int | None, slot: datetime.datetime | None) -> str:
    """Say what was put back, what was left and why, and what comes of it."""
    of = f"{done.changed:,} row(s) that run {done.undoes} of {done.job} changed"
    lines = [f"Put back {done.restored:,} of {of}; this is run {done.run}."]
    if done.others:
        lines.append(_left_alone(done))
    if done.left:
        lines.append(f"Not looked at: {done.left:,} row(s).")
    if due:
        at = f", at {moment(slot)}" if slot else ""
        lines.append(
            f"{due:,} row(s) are due now: the next run of {done.job}{at}, changes them again, "
            "unless its rule, its schedule or the rows are changed before."
        )
    return "\n".join(lines)


def _left_alone(done: UndoResult) -> str:
    """Say why rows were left alone, the most frequent reason first, and which runs own them."""
    by_count = sorted(done.others.items(), key=lambda item: (-item[1], item[0]))
    reasons = (f"{count:,} {why}{_by(done.owners.get(why, {}))}" for why, count in by_count)
    return f"Left alone: {sum(done.others.values()):,} row(s): {', '.join(reasons)}."


def _by(owners: Mapping[int, int]) -> str:
    """Name the runs with most rows, in the order of their numbers, and how many more there are."""
    if not owners:
        return ""
    most = sorted(sorted(owners, key=lambda run: (-owners[run], run))[:MOST_NAMED])
    named, more = list(map(str, most)), len(owners) - len(most)
    last = f"{more:,} more" if more else named.pop()
    runs = f"{', '.join(named)} and {last}" if named else last
    return f" by run{'s' if len(owners) > 1 else ''} {runs}"
