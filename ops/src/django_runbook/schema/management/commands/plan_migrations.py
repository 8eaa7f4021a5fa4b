"""`manage.py plan_migrations`: the pending migrations with their true SQL and their risks."""

import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_runbook.schema.database.sizes import SizesError, load
from django_runbook.schema.errors import MigrationsError, NoServerError
from django_runbook.schema.history.near_names import require_apps
from django_runbook.schema.history.new_in_git import new_since
from django_runbook.schema.management.arguments import add_database
from django_runbook.schema.management.one_line import in_one_line
from django_runbook.schema.review.plan import Plan, Severity
from django_runbook.schema.review.planner import plan
from django_runbook.schema.review.rehearsal.rehearsal import ROWS
from django_runbook.schema.review.report import phrases
from django_runbook.schema.review.report.as_json import as_json
from django_runbook.schema.review.report.markdown import COMMENT, markdown
from django_runbook.schema.review.report.terminal import lines
from django_runbook.schema.review.reviewer import Look
from django_runbook.schema.wording import counted
from django_runbook.text.numbers import whole

MOST_ROWS = 1_000_000  # of each table, made up one by one


class Command(BaseCommand):
    """Tries each on a scratch database with exactly its parents applied; the target is read."""

    requires_system_checks = ()
    help = "Show pending migrations with their SQL and risks; exit code 1 on an unaccepted danger"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which migrations, where, and how they are printed."""
        parser.add_argument(
            "app_label", nargs="?", default="", help="The app (default: all of them)."
        )
        add_database(parser, "The alias of the target.")
        parser.add_argument(
            "--since",
            metavar="REF",
            help="Look at what is new in git since the merge base with REF, not at the target.",
        )
        parser.add_argument(
            "--engine",
            choices=list(phrases.ENGINES),
            default="",
            help="Where to try them (default: PostgreSQL where it can be had, else SQLite).",
        )
        parser.add_argument(
            "--rows",
            type=whole(most=MOST_ROWS),
            default=ROWS,
            metavar="N",
            help=f"Made-up rows for each table; 0 rehearses nothing (default: {ROWS}).",
        )
        parser.add_argument(
            "--sizes",
            type=Path,
            metavar="FILE",
            help="What 'inv db.sizes' wrote: says what the risks mean for tables of that size.",
        )
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--markdown", action="store_true", help="Print it for a pull request.")
        form.add_argument("--json", action="store_true", help="Print one JSON object.")
        parser.add_argument(
            "--comment",
            type=Path,
            metavar="FILE",
            help="Write it into this file as well, as Markdown of a comment's size.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the plan; exit code 1 on a danger that nobody has accepted."""
        require_apps([options["app_label"]] if options["app_label"] else [])
        try:
            with in_one_line():
                made = self._plan(options)
        except (MigrationsError, NoServerError, SizesError) as error:
            raise CommandError(str(error)) from error
        if options["comment"]:
            options["comment"].write_text(markdown(made, COMMENT), encoding="utf-8")
        self._print(made, options)
        if failing := phrases.failures(made):
            raise CommandError(
                f"{counted(len(failing), 'danger')} not accepted: {', '.join(failing)}. "
                f"Rewrite it, or write '# accepts RULE: REASON' above the operation."
            )

    def _plan(self, options: dict[str, Any]) -> Plan:
        since = options["since"]
        return plan(
            options["database"],
            app=options["app_label"],
            keys=None if since is None else new_since(since),
            engine=options["engine"],
            look=Look(
                rows=options["rows"],
                sizes=load(options["sizes"]) if options["sizes"] else None,
            ),
        )

    def _print(self, made: Plan, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(as_json(made))
        elif options["markdown"]:
            self.stdout.write(markdown(made), ending="")
        else:
            width = shutil.get_terminal_size().columns if self.stdout.isatty() else None
            for line in lines(made, width=width, paint=self._paint):
                self.stdout.write(line)

    def _paint(self, severity: Severity, text: str) -> str:
        style = {Severity.DANGER: self.style.ERROR, Severity.WARNING: self.style.WARNING}
        return style.get(severity, self.style.NOTICE)(text)
