"""The command of a registered transition: all that it needs is which one."""

import datetime
import json
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from django_runbook.jobs.batches.preview import EXAMPLES, Example, Preview, preview_transition
from django_runbook.jobs.batches.run_transition import Outcome, run_transition
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.management.base import JobCommand, Running
from django_runbook.jobs.registry import Transition
from django_runbook.jobs.report.formats import as_json
from django_runbook.jobs.report.previews import preview_notes
from django_runbook.text.cleaning import one_line

FIRST_YEAR, LAST_YEAR = 1970, 9000  # no row is older, and a calendar ends with the year 9999


def instant(text: str) -> datetime.datetime:
    """Read an ISO 8601 time with its zone, such as ``2026-03-01T04:00Z``."""
    try:
        value = datetime.datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise ArgumentTypeError(f"'{text}' is not a time with its zone, as in 2026-03-01T04:00Z")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ArgumentTypeError(f"'{text}' is not in the years from {FIRST_YEAR} to {LAST_YEAR}")
    return value


class TransitionCommand(JobCommand):
    """Looks or runs, and prints; a command of one's own says which ``transition``, and its help."""

    transition: Transition

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the dry run and the time."""
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Say how many are due, and show some; change nothing.",
        )
        parser.add_argument(
            "--as-of",
            type=instant,
            metavar="TIME",
            help="Do what was due at this time, as in 2026-03-01T04:00Z (default: now).",
        )
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it; exit code 1 where rows could not be changed, 3 where it is refused, 4 stopped."""
        with self.running(options) as run:
            now = timezone.now()
            if options["dry_run"]:
                self._look(now, options, run)
                return
            done = self._run(now, options, run)
        self.stdout.write(as_json(asdict(done)) if options["json"] else self._said(done))
        failed = f"inv jobs.show {done.run} --failed"
        see = failed if done.failed else f"inv jobs.show {done.run}"
        self.finish(done.status, done.reason, done.warnings, see=see)

    def _run(self, now: datetime.datetime, options: Any, run: Running) -> Outcome:
        as_of = options["as_of"]
        if as_of and as_of > now:
            raise RefusedError(
                f"{as_of.astimezone(datetime.UTC).isoformat()} is in the future: nothing was "
                "changed. Add --dry-run to see what would be due then."
            )
        order, stop, watch = run.order, run.stop, run.watch
        return run_transition(
            self.transition, now=now, as_of=as_of, order=order, stop=stop, watch=watch
        )

    def _look(self, now: datetime.datetime, options: Any, run: Running) -> None:
        as_of, stop = options["as_of"], run.stop
        seen = preview_transition(
            self.transition, now=now, as_of=as_of, examples=EXAMPLES, stop=stop
        )
        if options["json"]:
            self.stdout.write(as_json({**asdict(seen), "dry_run": True}))
            return
        for line in self._seen(seen):
            self.stdout.write(line)

    def _seen(self, seen: Preview) -> Iterator[str]:
        """Yield what a run would do."""
        yield f"Would change {self._rows(seen.due)} that are due at {seen.as_of.isoformat()}"
        if seen.examples:
            yield f"The first {len(seen.examples)}:"
        yield from map(_changed, seen.examples)
        yield from preview_notes(seen)

    def _said(self, done: Outcome) -> str:
        """Say what a run did."""
        said = f"Changed {self._rows(done.changed)}"
        if done.continues:
            return f"{said}, going on from run {done.continues} with its cutoff"
        return said

    def _rows(self, count: int) -> str:
        return f"{count:,} {self.transition.change.model._meta.verbose_name}(s)"


def _changed(example: Example) -> str:
    """Return one row before and after, on a line."""
    fields = (
        f"{name} {_text(was)} -> {_text(example.after[name])}"
        for name, was in example.before.items()
    )
    return one_line(f"  {example.pk}: {', '.join(fields)}")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
