"""`manage.py prune_runs`: what the ledger need not keep any longer, removed."""

import datetime
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from django_runbook.config import of_settings
from django_runbook.config.jobs import CENTURY
from django_runbook.jobs.batches.prune import PruneResult, Removal, preview_prune, prune_runs
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.management.base import USAGE, RecordedCommand
from django_runbook.jobs.report.formats import as_json, second
from django_runbook.schema.guard.commands import add_confirm, confirmed
from django_runbook.text.numbers import whole


class Command(RecordedCommand):
    """Reads how long runs are kept, asks where that is not declared, calls the service, prints."""

    help = "Remove runs that ended longer ago than the ledger keeps them, with their batches"

    def add_arguments(self, parser: CommandParser) -> None:
        """Add how long runs are kept, and ``--dry-run``."""
        parser.add_argument(
            "--keep-days",
            type=whole(least=1, most=CENTURY),
            metavar="N",
            help="Keep runs so many days after their end (default: keep_days under "
            "[tool.django-runbook.jobs]). After that they cannot be undone.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say how many would go; change nothing."
        )
        super().add_arguments(parser)
        add_confirm(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Remove them; exit code 3 where that is refused, 4 where it was stopped early."""
        with self.running(options) as run:
            days, declared = _days(options["keep_days"])
            before = database_now() - datetime.timedelta(days=days)
            if options["dry_run"]:
                seen = preview_prune(before)
                facts = {"dry_run": True, "keep_days": days, **asdict(seen)}
                self.stdout.write(as_json(facts) if options["json"] else _would(seen))
                return
            if not declared:
                confirmed(options, f"Remove runs older than {days} days from the ledger in")
            done = prune_runs(before, order=run.order, stop=run.stop, watch=run.watch)
        if options["json"]:
            facts = {"keep_days": days, **asdict(done)}
            self.stdout.write(as_json(facts.pop("removal") | facts))
        else:
            self.stdout.write(_lines(done))
        self.finish(done.status, done.reason, done.warnings)


def _days(given: int | None) -> tuple[int, bool]:
    """Return how many days runs are kept, and whether no less is declared.

    Raises ``CommandError`` with exit code 2 where nobody says.
    """
    found = of_settings()
    declared = found.keep_days if found else None
    days = given or declared
    if days is None:
        raise CommandError(
            "Say how long runs are kept: --keep-days N, or keep_days = N under "
            "[tool.django-runbook.jobs] of pyproject.toml.",
            returncode=USAGE,
        )
    return days, declared is not None and days >= declared


def _would(seen: Removal) -> str:
    would = f"Would remove {seen.due:,} run(s) that ended before {second(seen.before)}"
    return "\n".join([would, *_kept(seen)])


def _lines(done: PruneResult) -> str:
    """Say what went, and what stays although it is as old."""
    before = second(done.removal.before)
    said = f"Removed {done.removed:,} run(s) that ended before {before}, and {done.batches:,}"
    said += f" batch(es) and failed row(s); this is run {done.run}."
    return "\n".join([said, *_kept(done.removal)])


def _kept(seen: Removal) -> list[str]:
    lines = []
    if seen.needed:
        lines.append(f"{seen.needed:,} as old stay, without batches: jobs are judged by them.")
    lines += [
        f"Run {run} stays, and what came later to its rows, until its undo has come to its end: "
        f"inv jobs.undo {run}"
        for run in seen.half_undone
    ]
    return lines
