"""What every account and every run must be: a model in plain Python, without a database."""

import datetime
from collections import Counter
from dataclasses import dataclass, field

from hypothesis.stateful import RuleBasedStateMachine

from accounts.models import Status
from tests.ops.jobs.books import DAY, NOW

SIZE = 3  # rows a batch
TRIALING, EXPIRED = Status.TRIALING.value, Status.TRIAL_EXPIRED.value


@dataclass
class Known:
    """What the model knows of a run. ``rows`` are the numbers in the log and the accounts."""

    pk: int
    undoes: int | None = None
    cutoff: datetime.datetime | None = None
    status: str = "RUNNING"
    stale: bool = False
    rows: list[tuple[int, int]] = field(default_factory=list)
    after: tuple[datetime.datetime, int] | None = None
    last_pass: bool = False


class Model(RuleBasedStateMachine):
    """What every account and every run must be."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.created: dict[int, datetime.datetime] = {}
        self.status: dict[int, str] = {}
        self.runs_known: dict[int, Known] = {}
        self.newest: dict[int, int] = {}  # of each account, the number in the log
        self.events: Counter[tuple[int, str, str]] = Counter()

    def account(self, number: int) -> int:
        """Return an account."""
        return sorted(self.created)[number % len(self.created)]

    def becomes(self, account: int, status: str, known: Known | None = None) -> None:
        """Change an account, by a run or by hand."""
        self.events[account, self.status[account], status] += 1
        self.status[account] = status
        if known:
            self.newest[account] = number = self.events.total()
            known.rows.append((number, account))

    def due(self, cutoff: datetime.datetime) -> list[int]:
        """Return what is due, in the order of the run."""
        due = [key for key in self.created if self.status[key] == TRIALING]
        return sorted((k for k in due if self.created[k] < cutoff), key=self.place)

    def place(self, account: int) -> tuple[datetime.datetime, int]:
        """Return where an account stands in the order of a run."""
        return self.created[account], account

    def running(self, *, alive: bool = False) -> list[Known]:
        """Return the runs that are not over; those whose heart beats."""
        return [
            run
            for run in self.runs_known.values()
            if run.status == "RUNNING" and not (alive and run.stale)
        ]

    def bury(self) -> None:
        """Take for lost whose heart has stopped."""
        for run in self.running():
            run.status = "LOST" if run.stale else run.status

    def next_cutoff(self) -> datetime.datetime:
        """Return the cutoff of the next run: that of the newest, if it was cut short."""
        over = [
            run
            for run in self.runs_known.values()
            if run.undoes is None
            and run.status != "REFUSED"
            and run not in self.running(alive=True)
        ]
        newest = max(over, key=lambda run: run.pk, default=None)
        if newest and newest.cutoff and newest.status in {"STOPPED", "LOST", "RUNNING"}:
            return newest.cutoff
        return self.now - DAY * 61

    def expires(self, known: Known) -> list[int]:
        """Take the next batch of a run: behind the last one, then once more from the start."""
        assert known.cutoff
        due = self.due(known.cutoff)
        rows = [key for key in due if not known.after or self.place(key) > known.after][:SIZE]
        if not rows and not known.last_pass:
            known.last_pass, rows = True, due[:SIZE]
        known.after = self.place(rows[-1]) if rows else None
        if len(rows) < SIZE:
            known.last_pass, known.after = True, None
        for key in rows:
            self.becomes(key, EXPIRED, known)
        return rows

    def left_by(self, known: Known) -> list[int]:
        """Return what a run has still to do."""
        if known.undoes:
            return self.restorable(self.runs_known[known.undoes])
        assert known.cutoff
        return self.due(known.cutoff)

    def restorable(self, known: Known) -> list[int]:
        """Return what an undo puts back: what nobody has touched since, in the ledger's order."""
        return [
            account
            for number, account in known.rows
            if self.newest[account] == number and self.status[account] == EXPIRED
        ]
