"""`manage.py run_job NAME [--slot …] [-- …]`: any management command, recorded in the ledger."""

import datetime
import os
import sys
from argparse import SUPPRESS
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from django_runbook.config import Job
from django_runbook.jobs import registry
from django_runbook.jobs.batches.stopping import Stop, breakable, on_signals
from django_runbook.jobs.database.clock import require_clock
from django_runbook.jobs.errors import SkippedError
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.management import slots, words
from django_runbook.jobs.management.base import (
    USAGE,
    add_token,
    in_one_line,
    require_command,
    seconds,
    telling_once,
)
from django_runbook.jobs.management.catching_up import CatchUp
from django_runbook.jobs.management.exact import ExactCommand
from django_runbook.jobs.management.starting import (
    NOTHING,
    Start,
    as_json,
    nothing_facts,
    result_facts,
    result_line,
    this_program,
)
from django_runbook.schema.database.target import require_applied
from django_runbook.schema.secrets import shown
from django_runbook.text.cleaning import unbroken


class Command(ExactCommand):
    """Finds the job and its slots, runs it, prints how it came out."""

    help = "Run a management command as a job: recorded, once for each slot, ended when too late"
    passed_on: Sequence[str] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name, the slots, and what goes to the command."""
        parser.add_argument("name", help="The management command, such as expire_trials.")
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--slot",
            metavar="TIME",
            help=f"The slot that this run is for, as in 2026-03-01T04:17Z, or '{slots.LATEST}': "
            "no other run can do it again. The command is told in RUNBOOK_SLOT.",
        )
        which.add_argument(
            "--slots",
            metavar="FROM..TO",
            help="Do each slot of a time that nobody has done, in their order, as in "
            "2026-03-01..2026-03-07; the command is told which, in --as-of where it moves rows.",
        )
        parser.add_argument(
            "--again", action="store_true", help="Take a slot over that is done; with --reason."
        )
        parser.add_argument("--reason", default="", help="Why; it is kept in the ledger.")
        # For several pods of one slot: the first claims it, the others help.
        parser.add_argument("--helps", action="store_true", help=SUPPRESS)
        add_token(parser)
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
        name = options["name"]
        require_command(name)
        _require_reason(options)
        told = words.read(name, self.passed_on)
        if told.does_nothing:  # it changes nothing, and leaves no record
            self._become(options, told)
        self.stdout.flush()
        stop = Stop()
        with in_one_line(), on_signals(stop):
            connection.ensure_connection()  # a server that is not there is no reason to wait
            breakable(stop, connection, require_applied)
            now = timezone.now()
            breakable(stop, connection, lambda: require_clock(now))
            job = registry.job(name)
            start = self._start(job, options, stop, own=told.own)
            order = Order(who=Who.here(), again=options["reason"])
            if options["slots"] is not None:
                found = slots.several(job, options["slots"], now)
                as_of = told.takes_as_of and name in registry.transitions()
                self._several(start, options, order, found, as_of=as_of)
            else:
                order = replace(order, token=options["token"])
                self._one(start, options, slots.ordered(order, job, options, now))

    def _become(self, options: Mapping[str, Any], told: words.Words) -> None:
        """Become the command; its own result is the JSON that was asked for, where it has one."""
        if options["slots"] is not None:
            raise CommandError(
                "--slots is for runs, and this one would do nothing.", returncode=USAGE
            )
        wanted = options["json"] and told.one_json and "--json" not in self.passed_on
        more = ["--json"] if wanted else []
        argv = [*this_program(), options["name"], *self.passed_on, *more]
        os.execv(argv[0], argv)

    def _start(self, job: Job, options: Mapping[str, Any], stop: Stop, *, own: bool) -> Start:
        return Start(
            job=job,
            words=tuple(self.passed_on),
            max_seconds=options["max_seconds"] or job.timeout_minutes * 60,
            out=(sys.stderr if options["json"] else sys.stdout).fileno(),
            err=sys.stderr.fileno(),
            own=own,
            waits=telling_once(self.stderr, stop),
        )

    def _one(self, start: Start, options: Mapping[str, Any], order: Order) -> None:
        """Run it once. What a scheduler starts beside another, or in a pause, is no failure."""
        try:
            result = start.run(order)
        except NOTHING as nothing:
            if order.again or (order.slot is None and not isinstance(nothing, SkippedError)):
                raise  # a person is there, and is not to think that it is done
            facts = nothing_facts(start.job, order.slot, nothing)
            self.stdout.write(as_json(facts) if options["json"] else unbroken(str(nothing)))
            return
        for warning in result.warnings:
            self.stderr.write(shown(warning))
        if options["json"]:
            self.stdout.write(as_json(result_facts(start.job, result)))
        else:
            self.stderr.write(result_line(start.job, result))
        _end(result.code)

    def _several(
        self,
        start: Start,
        options: Mapping[str, Any],
        order: Order,
        found: Sequence[datetime.datetime],
        *,
        as_of: bool,
    ) -> None:
        """Run it for each slot, and say what is left also where that ends early."""
        repeated = [f"--reason={options['reason']}", "--again"] if options["again"] else []
        if options["max_seconds"]:
            repeated.append(f"--max-seconds={options['max_seconds']:g}")
        if as_of and any(word.startswith(words.AS_OF) for word in self.passed_on):
            raise CommandError("--slots says --as-of itself; leave it out.", returncode=USAGE)
        work = CatchUp(start, order, as_of, repeated, list(found))
        try:
            work.run(lambda line: self.stderr.write(shown(unbroken(line))))
        finally:
            if options["json"]:
                self.stdout.write(as_json(work.as_facts()))
            else:
                self.stderr.write(shown(work.summary()))
        _end(work.code)


def _require_reason(options: Mapping[str, Any]) -> None:
    """Raise ``CommandError`` with exit code 2 where what belongs together is not."""
    if options["again"] != bool(options["reason"].strip()):
        raise CommandError('--again and --reason "..." go together.', returncode=USAGE)
    if options["again"] and options["slot"] is None and options["slots"] is None:
        raise CommandError("--again is for a slot: add --slot or --slots.", returncode=USAGE)
    if options["helps"] and options["slot"] is None:
        raise CommandError("--helps is for a slot: add --slot.", returncode=USAGE)


def _end(code: int) -> None:
    if code:
        sys.stdout.flush()
        sys.exit(code)
