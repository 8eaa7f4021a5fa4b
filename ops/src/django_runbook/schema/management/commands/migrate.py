"""`manage.py migrate`: Django's own, one at a time, with short locks and a true word on failure."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate as django_migrate
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.migrations import exceptions
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from django_runbook.schema.apply import report
from django_runbook.schema.apply.errors import EndedError, LockedError, UnsupportedError
from django_runbook.schema.apply.executor import Executor, Session
from django_runbook.schema.apply.locks import alone
from django_runbook.schema.apply.steps import Limits, Reason, Standing
from django_runbook.schema.apply.stopping import Interrupt, Stop, on_signals
from django_runbook.schema.apply.timeouts import can_check_client, require_supported
from django_runbook.schema.database.backups import backup
from django_runbook.schema.database.target import target, unapplied
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.guard.commands import add_confirm
from django_runbook.schema.guard.migrations import confirm_migrate
from django_runbook.schema.history import unknown
from django_runbook.schema.history.graph import Key
from django_runbook.schema.history.near_names import WRONG_USAGE, Suggesting
from django_runbook.schema.management.one_line import REFUSED, in_one_line, short
from django_runbook.text.numbers import whole

FAILED, EARLY = 1, 4
WAIT = 60.0
MOST_SECONDS = 2_147_483  # PostgreSQL's: milliseconds in 32 bits
POOL_IS_FULL = "query_wait_timeout"  # PgBouncer's word for it
#: What Django says of a history that does not fit the files.
UNFIT = (
    exceptions.BadMigrationError,
    exceptions.CircularDependencyError,
    exceptions.InconsistentMigrationHistory,
    exceptions.InvalidMigrationPlan,
    exceptions.MigrationSchemaMissing,
    exceptions.NodeNotFoundError,
)


class Command(Suggesting, django_migrate.Command):
    """Takes Django's options, and some more."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the limits, ``--wait`` and ``--backup``."""
        super().add_arguments(parser)
        for name, default, said in (
            (
                "--lock-timeout",
                Limits.lock_timeout,
                "How long to wait for a lock before trying again (default: 2; 0: the server's).",
            ),
            (
                "--statement-timeout",
                Limits.statement_timeout,
                "How long one statement may run (default: as the server has it).",
            ),
            ("--wait", WAIT, "How long to wait for another migrate to end (default: 60)."),
        ):
            parser.add_argument(name, type=_seconds, metavar="SECONDS", default=default, help=said)
        parser.add_argument(
            "--lock-retries",
            type=whole(),
            metavar="N",
            default=Limits.retries,
            help="How often to try again where there was no lock (default: 10).",
        )
        parser.add_argument(
            "--backup",
            action="store_true",
            help="Save the database first, as backup does; where that fails, nothing is migrated.",
        )
        add_confirm(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate; exit code 1 for a failure, 3 where nothing was changed, 4 where it stopped."""
        self._options = options
        self._stop = Stop()
        self._midline = False
        self._saved = ""
        with on_signals(self._stop), self._in_some_lines():
            if not options["prune"]:
                self._say_newer(options["database"])
            if options["plan"] or options["check_unapplied"]:
                super().handle(*args, **options)
            else:
                confirm_migrate(options)
                self._migrate(*args, **options)

    def migration_progress_callback(
        self,
        action: str,
        migration: Any = None,
        fake: bool = False,
    ) -> None:
        """Print what Django prints, and the beginning again where something was said between."""
        starts = {"apply": "Applying", "unapply": "Unapplying"}
        verb, _, moment = action.rpartition("_")
        if moment == "success" and verb in starts and not self._midline and self.verbosity:
            self.stdout.write(f"  {starts[verb]} {migration}...", ending="")
        super().migration_progress_callback(action, migration, fake)
        self._midline = bool(self.verbosity) and moment == "start" and verb in starts

    def _migrate(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        limits = Limits(
            lock_timeout=options["lock_timeout"],
            statement_timeout=options["statement_timeout"],
            retries=options["lock_retries"],
            client_check=can_check_client(connection),
        )
        require_supported(connection, limits)
        with alone(connection, wait=options["wait"], say=self._other) as lock:
            self._session = session = Session(
                limits=limits,
                lock=lock,
                stop=self._stop,
                planned=self._planned,
                waits=lambda wait: self._say(f"    {report.waiting(wait)}"),
                again=lambda *said: self._say(f"    {report.again(*said)}"),
            )
            with _executed_by(partial(Executor, session=session)):
                super().handle(*args, **options)
        for line in report.summary(session.steps):
            self._say(line)
        whole = not options["app_label"] and not options["prune"]
        if whole and (missing := unapplied(options["database"])):
            raise CommandError(f"Not applied all the same: {', '.join(missing)}.")

    def _say_newer(self, alias: str) -> None:
        """Say where the database is newer than this code; files that are wrong are Django's."""
        with suppress(MigrationsError):
            if newer := unknown.said(unknown.unknown(alias)):
                self.stderr.write(newer)

    def _planned(self, plan: list[tuple[Key, bool]]) -> None:
        alias = self._options["database"]
        for line in report.plan(plan, target(alias).database):
            self._say(line)
        if self._options["backup"] and (plan or self._options["run_syncdb"]):
            with in_one_line():
                result = backup(now=timezone.now(), alias=alias)
            self._saved = short(result.file)
            self._say(f"Saved {result.manifest.database} to {self._saved}")

    def _say(self, line: str) -> None:
        """Print a line of its own, also in the midst of one of Django's."""
        if self._options["verbosity"]:
            self.stdout.write(f"\n{line}" if self._midline else line)
            self.stdout.flush()
            self._midline = False

    def _other(self, holder: str) -> None:
        self._say(f"Waiting up to {self._options['wait']:g} s for another migrate to end: {holder}")

    @contextmanager
    def _in_some_lines(self) -> Iterator[None]:
        """Raise ``CommandError`` for all that can be told in words."""
        try:
            yield
        except EndedError as ended:
            raise self._error(ended.standing) from ended
        except LockedError as locked:
            raise CommandError(
                f"Refused: another migrate of this database is at work, {locked}; nothing was "
                f"changed. Run '{self._command()}' again when it has ended, or wait longer "
                f"with --wait.",
                returncode=REFUSED,
            ) from locked
        except UnsupportedError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from error
        except UNFIT as error:
            raise CommandError(" ".join(str(error.args[0]).split())) from error
        except OperationalError as error:
            if POOL_IS_FULL not in str(error):
                raise
            raise CommandError(
                "The pooler had no second connection in time: one keeps other migrators away, the "
                "other migrates. Give its pool (default_pool_size) room for two."
            ) from error
        except Interrupt as interrupt:
            raise self._interrupted() from interrupt

    def _error(self, standing: Standing) -> CommandError:
        if self._midline:
            self.stdout.write("")
        half_done = standing.point is not None and standing.point.half_done
        changed = bool(standing.done or half_done)
        codes = {
            Reason.FAILED: FAILED,
            Reason.NO_LOCK: FAILED if changed else REFUSED,
            Reason.STOPPED: FAILED if half_done else EARLY,
        }
        said = report.ended(standing, self._command(), self._suffix())
        if changed and self._saved:
            said += f"\nThe backup from before: {self._saved}"
        return CommandError(said, returncode=codes[standing.reason])

    def _interrupted(self) -> CommandError:
        session = getattr(self, "_session", None)
        if session and session.steps:
            return CommandError(
                f"Stopped by {self._stop.reason} after the last migration, while post_migrate ran: "
                f"run '{self._command()}' again.",
                returncode=EARLY,
            )
        return CommandError(
            f"Stopped by {self._stop.reason} before the first migration.",
            returncode=128 + self._stop.number,
        )

    def _command(self) -> str:
        """Return the task that goes on with what was asked for here."""
        words = [self._options["app_label"], self._options["migration_name"]]
        return " ".join([report.COMMAND, *filter(None, words)]) + self._suffix()

    def _suffix(self) -> str:
        alias = self._options["database"]
        return "" if alias == DEFAULT_DB_ALIAS else f" -- --database={alias}"


@contextmanager
def _executed_by(factory: Callable[..., MigrationExecutor]) -> Iterator[None]:
    """Let Django's command make its executor with ``factory``: it has no attribute for that."""
    module: Any = django_migrate
    theirs = module.MigrationExecutor
    module.MigrationExecutor = factory
    try:
        yield
    finally:
        module.MigrationExecutor = theirs


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"'{given}' is no number of seconds: 0 to {MOST_SECONDS}.")
    return seconds
