"""`manage.py explain_job KEY`: why a row did or did not change, and when it will."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from django_runbook.jobs.management.base import USAGE, LedgerCommand
from django_runbook.jobs.registry import Transition, transitions
from django_runbook.jobs.report.details import story_lines
from django_runbook.jobs.report.formats import as_json
from django_runbook.jobs.watch.explanations import explain


class Command(LedgerCommand):
    """Asks the app that registered the job, and the ledger."""

    help = "Explain why a row did or did not change, what runs did to it, and when it will change"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the row, and the job."""
        parser.add_argument("key", metavar="KEY", help="The row, such as an account's user.")
        parser.add_argument("--job", metavar="NAME", help="The job, where several explain rows.")
        super().add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the story, or one JSON object; exit code 1 where there is no such row."""
        moved = _chosen(options["job"])
        with self.reading():
            try:
                story = explain(moved, options["key"], timezone.now())
            except LookupError as error:
                raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(as_json(asdict(story)))
            return
        for line in story_lines(story):
            self.stdout.write(line)


def _chosen(name: str | None) -> Transition:
    """Return the job that is meant. Raises ``CommandError`` with exit code 2 where none is."""
    known = {job: moved for job, moved in transitions().items() if moved.explain}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name in known:
        return known[name]
    which = f"these do: {', '.join(known)}" if known else "none does"
    what = f"{name} does not explain its rows" if name else "Say --job NAME"
    raise CommandError(f"{what}; {which}.", returncode=USAGE)
