"""Does the slots of a span in their order, and says what was done and what is left."""

import datetime
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django_runbook.jobs.errors import StoppedError
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.slots import SlotPausedError, SlotTakenError
from django_runbook.jobs.management.base import STOPPED
from django_runbook.jobs.management.starting import (
    Start,
    nothing_facts,
    result_facts,
    result_line,
)
from django_runbook.jobs.models import Status
from django_runbook.jobs.report.formats import moment

Say = Callable[[str], object]


@dataclass
class CatchUp:
    """A catch-up on its way: what came of each slot, and which are left."""

    start: Start
    order: Order
    #: Whether the command is told the slot as ``--as-of``.
    as_of: bool
    #: The options that whoever goes on must repeat.
    options: Sequence[str]
    left: list[datetime.datetime]
    facts: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0
    nobodys: int = 0
    code: int = 0

    def run(self, say: Say) -> None:
        """Do the slots in their order, up to the first that fails; a line for each.

        Raises ``RefusedError`` and ``FailedError``, which end it too.
        """
        try:
            while self.left and not self.code:
                self._next(say)
        except StoppedError as stopped:
            say(f"Stopped by {stopped}.")
            self.code = STOPPED

    def summary(self) -> str:
        """Return what was done, what is left, and the command that goes on."""
        text = f"{self.start.job.name}: {self.done} slot(s) done"
        text += f", {self.nobodys} left out" if self.nobodys else ""
        if not self.left:
            return f"{text}, none left."
        return f"{text}, {len(self.left)} left. Next: {self.next()}"

    def as_facts(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "job": self.start.job.name,
            "status": "SLOTS_LEFT" if self.left else Status.SUCCEEDED,
            "slots": self.facts,
            "left": self.left,
            "next": self.next() if self.left else None,
        }

    def next(self) -> str:
        """Return the command that does what is left."""
        span = f"{moment(self.left[0])}..{moment(self.left[-1])}"
        words = ["--", *self.start.words] if self.start.words else []
        line = ["inv", "jobs.run", self.start.job.name, f"--slots={span}", *self.options, *words]
        return shlex.join(line)

    def _next(self, say: Say) -> None:
        """Do the next slot: it covers no later one, so that each of those is still to be done."""
        job, at = self.start.job, self.left[0]
        told = [f"--as-of={at.isoformat()}"] if self.as_of else []
        try:
            result = self.start.run(replace(self.order, slot=at, covers=at), told)
        except (SlotTakenError, SlotPausedError) as nobodys:
            if isinstance(nobodys, SlotTakenError) and nobodys.being_done:
                raise
            say(str(nobodys))
            self.facts.append(nothing_facts(job, at, nobodys))
            self.nobodys += 1
        else:
            for warning in result.warnings:
                say(warning)
            say(f"{moment(at)}: {result_line(job, result)}")
            self.facts.append(result_facts(job, result))
            if result.code or result.status != Status.SUCCEEDED:
                self.code = result.code or 1
                return
            self.done += 1
            self.code = STOPPED if result.asked else 0
        del self.left[0]
