"""The edge of a job's command: its options, its signals, its exit codes. For any project's own."""

import argparse
import difflib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.core.management import get_commands
from django.core.management.base import CommandError, CommandParser, OutputWrapper
from django.db import connection
from django.utils import timezone

from django_runbook.config import ConfigError
from django_runbook.jobs.batches.loop import Watch
from django_runbook.jobs.batches.stopping import Stop, breakable, on_signals
from django_runbook.jobs.database.clock import require_clock
from django_runbook.jobs.errors import (
    FailedError,
    RefusedError,
    SkippedError,
    StoppedError,
    UnknownRunError,
)
from django_runbook.jobs.ledger.recording.around import INSIDE
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.management.exact import REFUSED, ExactCommand
from django_runbook.jobs.management.progress import Progress
from django_runbook.jobs.models import Status
from django_runbook.schema.database.files import require_file
from django_runbook.schema.database.target import require_applied, unapplied
from django_runbook.schema.errors import UnappliedError
from django_runbook.schema.history.unknown import said, unknown
from django_runbook.schema.secrets import shown
from django_runbook.text.cleaning import one_line
from django_runbook.text.numbers import whole

USAGE = 2
STOPPED = 4


def seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    return value


def add_token(parser: CommandParser) -> None:
    """Add what a worker gives: the run is done once, however often it is asked for."""
    parser.add_argument("--token", type=uuid.UUID, help=argparse.SUPPRESS)


class RecordedCommand(ExactCommand):
    """A command whose work is recorded in the ledger and can be stopped between two batches.

    ``handle`` opens ``running`` and hands what it yields to its service.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what every run can be told."""
        parser.add_argument(
            "--max-seconds",
            type=seconds,
            metavar="N",
            help="Stop after this long, between two batches, with exit code 4.",
        )
        parser.add_argument(
            "--json", action="store_true", help="Print the result as one JSON object."
        )

    @contextmanager
    def running(self, options: Mapping[str, Any]) -> Iterator["Running"]:
        """Yield the order, what asks for the end, and the progress; errors become one line.

        Raises ``CommandError`` with exit code 2 for ``--allow`` without ``--reason``, and those of
        ``in_one_line``.
        """
        stop = Stop(options.get("max_seconds"))
        order = replace(_order(options), waits=telling_once(self.stderr, stop))
        shown = Progress(self.stdout, options)
        with in_one_line(), on_signals(stop), shown:
            connection.ensure_connection()  # a server that is not there is no reason to wait
            if newer := said(breakable(stop, connection, _newer)):
                self.stderr.write(newer)
            yield Running(order, stop, shown.took)

    def finish(
        self,
        status: str | None,
        reason: str,
        warnings: Iterable[str] = (),
        *,
        goes_on: str = "The next run goes on.",
        see: str = "inv jobs.history",
    ) -> None:
        """End with the exit code of a run: 0, 1 for failed, 4 for stopped early.

        ``goes_on`` says how what was stopped is gone on with, ``see`` where what failed is shown.
        """
        for warning in warnings:
            self.stderr.write(shown(warning))
        if status == Status.STOPPED:
            raise CommandError(f"Stopped by {one_line(reason)}. {goes_on}", returncode=STOPPED)
        if status == Status.FAILED:
            raise CommandError(f"Failed: {one_line(reason)}. See '{see}'.")


class JobCommand(RecordedCommand):
    """A recorded command that the limits may refuse, and a clock that is wrong."""

    @contextmanager
    def running(self, options: Mapping[str, Any]) -> Iterator["Running"]:
        """Compare this machine's clock with the database's first: cutoffs are made of it.

        But for a dry run, which changes nothing.
        """
        with super().running(options) as run:
            if not options.get("dry_run"):
                breakable(run.stop, connection, lambda: require_clock(timezone.now()))
            yield run

    def add_arguments(self, parser: CommandParser) -> None:
        """Add how a run is let through."""
        super().add_arguments(parser)
        parser.add_argument(
            "--allow",
            type=whole(),
            metavar="N",
            help="Let a run pass that the limits refuse, of at most N rows; with --reason.",
        )
        parser.add_argument("--reason", default="", help="Why; it is kept in the ledger.")


class LedgerCommand(ExactCommand):
    """A command that only reads the ledger, which ``handle`` does inside ``reading``."""

    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json``."""
        parser.add_argument("--json", action="store_true", help="Print nothing but JSON.")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn errors into one line; what other apps' migrations lack does not matter here.

        Raises ``CommandError`` with exit code 3 where the ledger has no tables, 1 without file.
        """
        with in_one_line():
            require_file(connection)
            missing = [name for name in unapplied() if name.startswith("runbook_jobs.")]
            if missing:
                raise UnappliedError(f"{missing[0]} is not applied. Run 'inv db.migrate' first.")
            yield


@dataclass(frozen=True)
class Running:
    """What a service of a job takes beside the time."""

    order: Order
    stop: Stop
    watch: Watch


def telling_once(out: OutputWrapper, stop: Stop) -> Callable[[str], str]:
    """Return what says once that another run is waited for, and why the wait should end."""
    told: set[str] = set()

    def waits(line: str) -> str:
        if line not in told:
            out.write(shown(line))
            told.add(line)
        return stop.reason

    return waits


def require_command(name: str) -> None:
    """Raise ``CommandError`` with exit code 2 for a name that is no management command."""
    known = sorted(get_commands())
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise CommandError(f"There is no management command '{name}'.{hint}", returncode=USAGE)


class Skipped(CommandError):  # noqa: N818  # Django prints its name
    """A start that had nothing to do: it is told, with exit code 0."""


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raise ``CommandError``: exit code 3 for what was refused, 1 for what failed.

    4 for what was to end before it began, and 0 for a start that ``overlap`` lets skip.
    """
    try:
        yield
    except SkippedError as skipped:
        raise Skipped(shown(str(skipped)), returncode=0) from skipped
    except (RefusedError, UnappliedError) as refusal:
        raise CommandError(shown(str(refusal)), returncode=REFUSED) from refusal
    except StoppedError as stopped:
        raise CommandError(
            f"Stopped by {one_line(str(stopped))}; nothing was changed.", returncode=STOPPED
        ) from stopped
    except (FailedError, UnknownRunError, ConfigError) as failure:
        raise CommandError(shown(str(failure))) from failure


def _newer() -> list[str]:
    """Return the migrations that only the database has, where it has all of this code's."""
    require_applied()
    return unknown()


def _order(options: Mapping[str, Any]) -> Order:
    allow, reason = options.get("allow"), options.get("reason") or ""
    if (allow is None) != (not reason):
        raise CommandError('--allow N and --reason "..." go together.', returncode=USAGE)
    inside, token = os.environ.get(INSIDE), options.get("token")
    return Order(who=Who.here(), allow=allow, reason=reason, inside=inside, token=token)
