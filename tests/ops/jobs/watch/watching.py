"""Follows a run of the machine batch by batch, and kills it."""

import datetime
from dataclasses import dataclass
from typing import Any

from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.models import Batch, Run
from tests.ops.jobs.model import TRIALING, Known, Model


class KilledError(BaseException):
    """Stands for SIGKILL: nothing that comes after it reaches the database."""


@dataclass
class Killer:
    """Lets a process die before the statement with this number; the server then rolls back."""

    left: int
    asleep: bool = False  # while the model looks

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        if self.asleep:
            return execute(sql, *arguments)
        self.left -= 1
        ends = sql.startswith(("ROLLBACK", "RELEASE"))
        if self.left > 0 or (self.left < 0 and ends):
            return execute(sql, *arguments)
        if ends:  # Django does not roll back a commit that is killed
            execute(sql.replace("RELEASE", "ROLLBACK TO"), *arguments)
        raise KilledError


class Watch:
    """Follows a run batch by batch: each must be the model's; then others act."""

    def __init__(
        self,
        books: Model,
        stop_after: int | None = None,
        meddling: Any = None,
        *,
        cutoff: datetime.datetime | None = None,
        undoes: int | None = None,
    ) -> None:
        self.books, self.meddling = books, meddling or {}
        self.cutoff, self.undoes = cutoff, undoes
        self.known_yet: Known | None = None
        self.killer = Killer(0)
        self.left = stop_after
        self.stop = Stop()
        if stop_after == 0:
            self.stop.ask("asked")

    @property
    def known(self) -> Known:
        """The run; the only one that the model does not know when it is first asked for."""
        if self.known_yet is None:
            (run,) = Run.objects.exclude(pk__in=self.books.runs_known)
            assert run.undoes_id == self.undoes
            self.known_yet = Known(run.pk, self.undoes, self.cutoff)
            assert run.cutoff == self.cutoff
            self.books.runs_known[run.pk] = self.known_yet
        return self.known_yet

    def __call__(self, progress: Any) -> None:
        self.killer.asleep = True
        self.look(progress)
        self.killer.asleep = False

    def look(self, progress: Any) -> None:
        """Compare a batch with the model's; then let others act."""
        known = self.known
        known.stale = False
        ids = Batch.objects.get(run=known.pk, number=progress.batch).ids
        if self.undoes:
            rows = self.books.restorable(self.books.runs_known[self.undoes])[: len(ids)]
            for key in rows:
                self.books.becomes(key, TRIALING, known)
        else:
            rows = self.books.expires(known)
        assert sorted(ids) == sorted(rows)
        if self.left is not None:
            self.left -= 1
            if not self.left:
                self.stop.ask("asked")
        for name, *arguments in self.meddling.get(progress.batch, ()):
            getattr(self.books, name)(*arguments)
