"""Rows that cannot be changed: found by halving, listed in the ledger, left out from then on."""

import sys
from collections.abc import Callable
from typing import Any

from django.db import Error, connections, transaction
from django.db.models import QuerySet

from django_runbook.jobs.batches.rows import paging
from django_runbook.jobs.database.faults import is_of_a_row, one_line
from django_runbook.jobs.models import FailedRow, Run
from django_runbook.text.cleaning import storable

#: So many in a row, and it is no matter of rows: a column is missing, or a permission.
MOST_IN_A_ROW = 100
#: Rows that the ledger lists of one run; it counts all.
MOST_LISTED = 1_000


class RowError(Exception):
    """The job's own code could not change a row, or one of several. The message is its error."""


class Failures:
    """The rows of a run that could not be changed, of the batches that are committed."""

    def __init__(self, run: Run, *, all_listed: bool = False) -> None:
        self.run = run
        self.listed = sys.maxsize if all_listed else MOST_LISTED
        self.keys: set[Any] = set()
        #: Whether the next batch looks for the row that spoiled the last try.
        self.careful = False
        #: Whether it was spoilt at its commit, by a constraint that is deferred until then.
        self.at_commit = False
        self.in_a_row = 0
        #: Why there is no use in going on; empty while there is.
        self.hopeless = ""

    def explain(self, error: Exception, *, at_commit: bool) -> bool:
        """Tell whether an error may be of a single row; the next try is careful then."""
        if self.careful and at_commit <= self.at_commit:
            return False  # it was looked for, and not found
        if not _may_be_of_a_row(error, self.run):
            return False
        self.careful, self.at_commit = True, at_commit
        return True

    def took(self, trial: "Trial | None") -> None:
        """Keep what a batch that is committed has found."""
        self.careful = self.at_commit = False
        if trial is None:
            self.in_a_row = 0
            return
        self.in_a_row, self.hopeless = trial.in_a_row, trial.hopeless
        self.keys.update(key for key, _error in trial.found)

    def among(self, rows: QuerySet[Any]) -> int:
        """Count those of these rows that are known to fail."""
        pieces = paging.pieces(list(self.keys))
        return sum(rows.filter(pk__in=piece).count() for piece in pieces)


class Trial:
    """One try of one batch, in which each row that fails is found by halving."""

    def __init__(self, failures: Failures) -> None:
        self.found: list[tuple[Any, str]] = []
        self.in_a_row = failures.in_a_row
        self._failures = failures
        self._connection = connections[failures.run._state.db or "default"]

    @property
    def hopeless(self) -> str:
        """Say that no row can be changed, as it seems; empty while some can."""
        if self.in_a_row < MOST_IN_A_ROW:
            return ""
        last = self.found[-1][1]
        return f"{self.in_a_row:,} rows in a row could not be changed; the last: {last}"

    def act(self, ids: list[Any], change: Callable[[list[Any]], None]) -> list[Any]:
        """Change these rows, in savepoints; return those that did not fail."""
        if not ids or self.hopeless:
            return []
        try:
            with transaction.atomic(using=self._connection.alias):
                change(ids)
        except (Error, RowError) as error:
            if not _may_be_of_a_row(error, self._failures.run):
                raise
            if len(ids) == 1:
                self.found.append((ids[0], one_line(error)))
                self.in_a_row += 1
                return []
        else:
            self.in_a_row = 0
            return ids
        half = len(ids) // 2
        return [*self.act(ids[:half], change), *self.act(ids[half:], change)]

    def write(self) -> None:
        """List what was found, as far as the ledger lists."""
        run, using = self._failures.run, self._connection.alias
        room = max(0, self._failures.listed - len(self._failures.keys))
        FailedRow.objects.using(using).bulk_create(
            FailedRow(run=run, key=_plain(key), error=error) for key, error in self.found[:room]
        )


def _may_be_of_a_row(error: Exception, run: Run) -> bool:
    connection = connections[run._state.db or "default"]
    return isinstance(error, RowError) or (
        isinstance(error, Error) and is_of_a_row(error, connection)
    )


def _plain(key: Any) -> Any:
    return storable(key) if isinstance(key, str) else key
