"""`manage.py notify_test`: is everybody reached who is to be told of the jobs?"""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from django_runbook.jobs.management.base import in_one_line
from django_runbook.jobs.management.exact import ExactCommand
from django_runbook.jobs.report.formats import as_json
from django_runbook.jobs.watch.telling import try_all
from django_runbook.schema.secrets import shown
from django_runbook.text.cleaning import unbroken


class Command(ExactCommand):
    """Sends a test by each way that is declared, and says how each came out."""

    help = "Send a test by mail, to the webhook and to each heartbeat"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json``."""
        parser.add_argument("--json", action="store_true", help="Print nothing but JSON.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each way; exit code 1 where one failed, or none is declared."""
        with in_one_line():
            trial = try_all()
        failed = [each for each in trial.tried if each.reason]
        if options["json"]:
            ok = bool(trial.tried) and not failed
            self.stdout.write(as_json({"ok": ok, **asdict(trial)}))
        else:
            for each in trial.tried:
                style = self.style.ERROR if each.reason else self.style.SUCCESS
                how = f"WRONG  {each.way}: {each.reason}" if each.reason else f"OK     {each.way}"
                self.stdout.write(shown(unbroken(how)), style)
            for note in trial.notes:
                self.stdout.write(f"NOTE   {shown(unbroken(note))}")
        if not trial.tried:
            raise CommandError(
                "Nobody is declared: name mail or webhook under [tool.django-runbook.notify], or a "
                "heartbeat of a job."
            )
        if failed:
            raise CommandError(f"{len(failed)} of {len(trial.tried)} could not be told.")
