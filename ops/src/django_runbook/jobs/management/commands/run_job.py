"""`manage.py run_job NAME [--slot …] [-- …]`: any management command, recorded in the ledger."""

import datetime
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Never

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from django_runbook.config import Job
from django_runbook.jobs import registry
from django_runbook.jobs.ledger.runs import Order, SlotTakenError
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.management.base import (
    USAGE,
    JobCommand,
    in_one_line,
    require_command,
    seconds,
)
from django_runbook.jobs.models import Status
from django_runbook.jobs.wrapped.command import CommandResult, run_command
from django_runbook.schedule import slots
from django_runbook.schema.database.target import require_applied
from django_runbook.schema.secrets import shown
from django_runbook.text.cleaning import one_line, unbroken

LATEST = "latest"


class Command(BaseCommand):
    """Finds the job and its slot, runs it, prints how it came out."""

    help = "Run a management command as a job: recorded, once for each slot, ended when too late"
    passed_on: Sequence[str] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name, the slot, and what goes to the command."""
        parser.add_argument("name", help="The management command, such as expire_trials.")
        parser.add_argument(
            "--slot",
            metavar="TIME",
            help=f"The slot that this run is for, as in 2026-03-01T04:17Z, or '{LATEST}': "
            "no other run can do it again.",
        )
        parser.add_argument(
            "--max-seconds",
            type=seconds,
            metavar="N",
            help="End the command after this long (default: timeout_minutes of the job).",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help="Print one JSON object; what the command prints goes to standard error.",
        )
        parser.epilog = "What follows -- goes to the command."

    def run_from_argv(self, argv: list[str]) -> None:
        """Keep what follows ``--`` from argparse, which would take it for options of this one."""
        mark = argv.index("--") if "--" in argv else len(argv)
        self.passed_on = argv[mark + 1 :]
        super().run_from_argv(argv[:mark])

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run it; the exit code is the command's own, 0 where the slot is done already."""
        name, as_json = options["name"], options["json"]
        require_command(name)
        argv = [sys.executable, sys.argv[0], name, *self.passed_on]
        if "--dry-run" in self.passed_on:  # it changes nothing, and leaves no record
            _become(argv, as_json=as_json)
        self.stdout.flush()
        with in_one_line():
            require_applied()
            job = registry.job(name)
            order = Order(who=Who.here(), slot=_slot(job, options["slot"], timezone.now()))
            try:
                result = run_command(
                    job,
                    argv,
                    order=order,
                    max_seconds=options["max_seconds"] or job.timeout_minutes * 60,
                    out=sys.stderr.fileno() if as_json else sys.stdout.fileno(),
                    err=sys.stderr.fileno(),
                )
            except SlotTakenError as taken:
                self.stdout.write(_taken(taken) if as_json else unbroken(str(taken)))
                return
        self._finish(job, result, as_json=as_json)

    def _finish(self, job: Job, result: CommandResult, *, as_json: bool) -> None:
        for warning in result.warnings:
            self.stderr.write(shown(warning))
        if as_json:
            following = slots.after(job, timezone.now())
            facts = {"job": job.name, **asdict(result), "next_slot": following}
            self.stdout.write(json.dumps(facts, default=datetime.datetime.isoformat))
        else:
            self.stderr.write(_line(job, result))
        if result.code:
            sys.stdout.flush()
            sys.exit(result.code)


def _become(argv: list[str], *, as_json: bool) -> Never:
    """Become the command; its own result is the JSON that was asked for, where it has one."""
    name = argv[2]
    has_json = isinstance(load_command_class(get_commands()[name], name), JobCommand)
    wanted = ["--json"] if as_json and has_json and "--json" not in argv else []
    os.execv(argv[0], [*argv, *wanted])


def _line(job: Job, result: CommandResult) -> str:
    """Say in one line how it came out."""
    how = Status(result.status).label
    why = f": {one_line(result.reason)}" if result.reason else ""
    return f"Run {result.run} of {job.name}: {how} after {result.seconds:.1f} s{why}"


def _taken(taken: SlotTakenError) -> str:
    """Return the run that has the slot as JSON."""
    shown = {
        "job": taken.slot.job,
        "slot": taken.slot.at.isoformat(),
        "status": "TAKEN",
        "run": taken.holder and taken.holder.pk,
        "reason": str(taken),
    }
    return json.dumps(shown)


def _slot(job: Job, text: str | None, now: datetime.datetime) -> datetime.datetime | None:
    """Return the slot that is meant. Raises ``CommandError`` with exit code 2 for one that is not.

    A slot of the future is none: nothing may run before its time.
    """
    if text is None:
        return None
    if job.cron is None:
        raise CommandError(
            f"{job.name} has no slots: give it a cron under [tool.django-runbook.jobs.{job.name}].",
            returncode=USAGE,
        )
    newest = slots.latest(job, now)
    if text == LATEST:
        return newest
    try:
        at = datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    except (ValueError, OverflowError):  # the first and the last year have no other zones
        at = None
    if at is None or at > now or not slots.is_slot(job, at):
        raise CommandError(
            f"--slot {text} is no slot of {job.name} that has come (cron {job.cron}, "
            f"{job.timezone}). The newest is {newest:%Y-%m-%dT%H:%MZ}.",
            returncode=USAGE,
        )
    return at
