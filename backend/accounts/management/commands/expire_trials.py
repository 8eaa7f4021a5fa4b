"""`manage.py expire_trials`: the daily job that ends the trials that are over."""

import datetime
import json
from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from accounts.services import ExpireResult, expire_trials
from django_runbook.jobs import JobCommand

FIRST_YEAR, LAST_YEAR = 1970, 9000  # no trial is older, and a calendar ends with the year 9999


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


class Command(JobCommand):
    """Parses, reads the clock once, calls the service, prints."""

    help = "Expire any accounts that are TRIALING beyond the trial days limit"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options that ``inv expire`` has as well."""
        parser.add_argument(
            "--dry-run", action="store_true", help="Say how many are due; change nothing."
        )
        parser.add_argument(
            "--as-of",
            type=instant,
            metavar="TIME",
            help="Expire what was due at this time, as in 2026-03-01T04:00Z (default: now).",
        )
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Expire the trials; exit code 3 where that is refused, 4 where it was stopped early."""
        as_json = options.get("json", False)
        with self.running(options) as run:
            if not as_json:
                self.stdout.write("Search for old trial accounts...")
            result = expire_trials(
                now=timezone.now(),
                as_of=options.get("as_of"),
                dry_run=options.get("dry_run", False),
                order=run.order,
                stop=run.stop,
                watch=run.watch,
            )
        self.stdout.write(_json(result) if as_json else _lines(result))
        self.finish(result.status, result.reason, result.warnings)


def _lines(result: ExpireResult) -> str:
    """Say what happened, in the words of the article for a real run."""
    if result.dry_run:
        would = f"Would expire {result.due} trial(s) created before {result.cutoff.isoformat()}"
        return f"{would}\nA run would be refused: {result.limit}" if result.limit else would
    said = f"Expired {result.expired} trial(s)"
    if result.continues:
        return f"{said}, going on from run {result.continues} with its cutoff"
    return said


def _json(result: ExpireResult) -> str:
    """Return the result as JSON, with times in ISO 8601."""
    return json.dumps(asdict(result), default=datetime.datetime.isoformat)
