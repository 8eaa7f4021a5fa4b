"""Django's executor, with limits, repetition, and a true word about where it ended."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

from django_runbook.schema.apply import standing, timeouts
from django_runbook.schema.apply.blockers import watched
from django_runbook.schema.apply.editor import backend, edited
from django_runbook.schema.apply.errors import EndedError, LostLockError
from django_runbook.schema.apply.locks import CHANCE, Lock
from django_runbook.schema.apply.pooler import in_transactions, pooled
from django_runbook.schema.apply.progress import Progress, observed
from django_runbook.schema.apply.steps import Limits, LockWait, Reason, Step
from django_runbook.schema.apply.stopping import Stop
from django_runbook.schema.history.graph import Key

#: Seconds before a second try; doubled for each further one, up to the second.
PAUSE, LONGEST_PAUSE = 0.5, 10.0
FINISHING = "the migration has no transaction, and is finished first; again breaks it off."


@dataclass(kw_only=True)
class Session:
    """One run of migrate: what it is given, whom it tells, and what it came to so far.

    ``planned`` is called once, with the plan, before anything is changed. ``waits`` is told of a
    lock that is waited for, ``again`` of a try to come: its number, how many there are, seconds.
    """

    limits: Limits
    lock: Lock
    stop: Stop
    planned: Callable[[list[tuple[Key, bool]]], None]
    waits: Callable[[LockWait], None]
    again: Callable[[int, int, float], None]
    plan: list[tuple[Key, bool]] | None = None
    steps: list[Step] = field(default_factory=list)


class Executor(MigrationExecutor):
    """Applies and undoes as Django does, one migration after the other.

    An atomic migration and its record are one transaction, also where Django holds statements back
    to the end and would record in a second transaction, which a crash can prevent. One that gets no
    lock is repeated as a whole; one without a transaction only where nothing of it is committed.
    """

    def __init__(
        self, connection: BaseDatabaseWrapper, progress_callback: Any = None, *, session: Session
    ) -> None:
        report: Any = self._report
        super().__init__(connection, report)
        self._told = progress_callback
        self._session = session
        self._faked = False

    def migration_plan(self, targets: Any, clean_start: bool = False) -> Any:
        """Make Django's plan, and tell it once."""
        plan = super().migration_plan(targets, clean_start=clean_start)
        if not clean_start and self._session.plan is None:
            self._session.plan = [(_key(migration), backwards) for migration, backwards in plan]
            self._session.planned(self._session.plan)
        return plan

    def apply_migration(
        self,
        state: ProjectState,
        migration: Migration,
        fake: bool = False,
        fake_initial: bool = False,
    ) -> ProjectState:
        """Apply a migration, again where it got no lock. Raises ``EndedError``."""
        apply = super().apply_migration

        def attempt() -> ProjectState:
            # Applying changes the state in place, and a second try needs the one before.
            given = state if fake else state.clone()
            return apply(given, migration, fake=fake, fake_initial=fake_initial)

        return self._run(migration, attempt, backwards=False)

    def unapply_migration(
        self,
        state: ProjectState,
        migration: Migration,
        fake: bool = False,
    ) -> ProjectState:
        """Undo a migration, again where it got no lock. Raises ``EndedError``."""
        unapply = super().unapply_migration
        return self._run(migration, lambda: unapply(state, migration, fake=fake), backwards=True)

    def _run(
        self, migration: Migration, attempt: Callable[[], ProjectState], *, backwards: bool
    ) -> ProjectState:
        session = self._session
        self._require_to_go_on()
        for number in itertools.count(1):
            progress = Progress(migration, backwards=backwards)
            seen: list[LockWait] = []
            started = time.monotonic()
            try:
                with self._prepared(progress, seen):
                    made = attempt()
            except (Exception, KeyboardInterrupt) as error:
                if number <= session.limits.retries and self._repeatable(error, progress):
                    self._pause(number, progress)
                    continue
                raise self._ended(error, progress, seen, number) from error
            session.steps.append(
                Step(
                    app_label=migration.app_label,
                    name=migration.name,
                    backwards=backwards,
                    faked=self._faked,
                    seconds=time.monotonic() - started,
                )
            )
            return made
        raise AssertionError  # the count has no end

    def _require_to_go_on(self) -> None:
        """Raise ``EndedError`` where the end was asked for, or another may be migrating too."""
        try:
            self._session.stop.look()
            self._session.lock.require()
        except (KeyboardInterrupt, LostLockError) as error:
            raise self._ended(error, None, [], 1) from error

    @contextmanager
    def _prepared(self, progress: Progress, seen: list[LockWait]) -> Iterator[None]:
        session, connection = self._session, self.connection
        atomic = self._is_atomic(progress.migration)

        def found(wait: LockWait) -> None:
            seen.append(wait)
            session.waits(wait)

        with ExitStack() as stack:
            if not atomic:
                stack.enter_context(session.stop.unbroken(FINISHING))
            if connection.vendor == "postgresql":
                progress.backend = backend(connection)
                progress.pooled = pooled(connection, progress.backend)
            if not (atomic and connection.vendor == "postgresql"):
                stack.enter_context(self._limited(progress))
            stack.enter_context(edited(connection, session.limits, progress, session.stop))
            stack.enter_context(observed(progress, connection))
            stack.enter_context(self._recorded_within(progress, atomic=atomic))
            stack.enter_context(watched(connection, lambda: progress.backend, found))
            yield

    def _limited(self, progress: Progress) -> AbstractContextManager[None]:
        """Return what limits a migration that its own transaction does not limit."""
        connection, limits = self.connection, self._session.limits
        if progress.pooled:
            return in_transactions(connection, limits, partial(setattr, progress, "backend"))
        return timeouts.in_session(connection, limits)

    @contextmanager
    def _recorded_within(self, progress: Progress, *, atomic: bool) -> Iterator[None]:
        """Let an atomic migration end with what was held back, so that it is recorded within."""
        migration = progress.migration
        if not atomic:
            yield
            return
        way = "unapply" if progress.backwards else "apply"
        run = getattr(migration, way)

        def whole(state: ProjectState, editor: Any, *args: Any, **kwargs: Any) -> ProjectState:
            made: ProjectState = run(state, editor, *args, **kwargs)
            while editor.deferred_sql:
                editor.execute(editor.deferred_sql.pop(0), None)
            if progress.backwards:
                for key in [*migration.replaces, _key(migration)]:
                    self.recorder.record_unapplied(*key)
            return made

        vars(migration)[way] = whole
        try:
            yield
        finally:
            del vars(migration)[way]

    def _is_atomic(self, migration: Migration) -> bool:
        return migration.atomic and self.connection.features.can_rollback_ddl

    def _repeatable(self, error: BaseException, progress: Progress) -> bool:
        missed = timeouts.missed_lock(error)
        if self._is_atomic(progress.migration):
            return bool(missed)
        return missed == timeouts.NO_LOCK and not progress.written and not progress.closing

    def _pause(self, number: int, progress: Progress) -> None:
        longest = min(LONGEST_PAUSE, PAUSE * 2 ** (number - 1))
        seconds = longest * CHANCE.uniform(0.5, 1)  # it keeps two apart
        self._session.again(number + 1, self._session.limits.retries + 1, seconds)
        try:
            time.sleep(seconds)
            self._require_to_go_on()
        except KeyboardInterrupt as error:
            raise self._ended(error, progress, [], number) from error

    def _report(self, action: str, migration: Any = None, fake: bool = False) -> None:
        if action.endswith("_success") and migration is not None:
            self._faked = fake
        if self._told:
            self._told(action, migration, fake)

    def _ended(
        self,
        error: BaseException,
        progress: Progress | None,
        seen: list[LockWait],
        tries: int,
    ) -> EndedError:
        missed = timeouts.missed_lock(error) == timeouts.NO_LOCK
        if isinstance(error, KeyboardInterrupt | LostLockError):
            reason = Reason.STOPPED
        else:
            reason = Reason.NO_LOCK if missed else Reason.FAILED
        return EndedError(
            standing.after(
                self,
                self._session.plan or [],
                self._session.steps,
                progress,
                error,
                reason,
                wait=seen[-1] if seen else None,
                tries=tries,
            )
        )


def _key(migration: Migration) -> Key:
    return migration.app_label, migration.name
