"""`manage.py expire_trials`: the daily job that ends the trials that are over."""

import datetime
import json
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from accounts.jobs import EXPIRE_TRIALS
from accounts.services import ExpireResult, expire_trials
from django_runbook.jobs import TransitionCommand


class Command(TransitionCommand):
    """Parses, reads the clock once, calls the service, prints."""

    help = "Expire any accounts that are TRIALING beyond the trial days limit"
    transition = EXPIRE_TRIALS

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
        failed = {"see": f"inv jobs.show {result.run} --failed"} if result.failed else {}
        self.finish(result.status, result.reason, result.warnings, **failed)


def _lines(result: ExpireResult) -> str:
    """Say what happened, in the words of the article for a real run."""
    if result.dry_run:
        would = f"Would expire {result.due} trial(s) created before {result.cutoff.isoformat()}"
        if result.limit:
            return f"{would}\nA run would be refused: {result.limit}"
        return f"{would}, {result.note}" if result.note else would
    said = f"Expired {result.expired} trial(s)"
    if result.continues:
        return f"{said}, going on from run {result.continues} with its cutoff"
    return said


def _json(result: ExpireResult) -> str:
    """Return the result as JSON, with times in ISO 8601."""
    return json.dumps(asdict(result), default=datetime.datetime.isoformat)
