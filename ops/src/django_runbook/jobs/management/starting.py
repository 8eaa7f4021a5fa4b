"""Starts a wrapped run, and says in words or in JSON how it came out."""

import datetime
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.utils import timezone

from django_runbook.config import Job
from django_runbook.jobs.errors import RefusedError, SkippedError
from django_runbook.jobs.ledger.pauses import PausedError
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.ledger.slots import SlotPausedError, SlotTakenError
from django_runbook.jobs.models import Status
from django_runbook.jobs.wrapped.command import CommandResult, run_command
from django_runbook.schedule import slots
from django_runbook.text.cleaning import one_line

#: What a start comes to that has nothing to do; the exit code is 0.
NOTHING = (SlotTakenError, SlotPausedError, SkippedError, PausedError)


@dataclass(frozen=True, kw_only=True)
class Start:
    """A job, the words for its command, and how long each run may take, the waiting included."""

    job: Job
    words: tuple[str, ...]
    max_seconds: float
    out: int
    err: int
    #: Whether the command is one of the kit's, whose exit codes 3 and 4 say how it ended.
    own: bool
    #: Called while another run of the job is waited for; returns what asks for the end.
    waits: Callable[[str], str]

    def run(self, order: Order, told: Sequence[str] = ()) -> CommandResult:
        """Run the command once; ``told`` are words that the order adds. Raises as ``run_command``.

        What another run does, or has done, raises one of ``NOTHING``.
        """
        words = (*told, *self.words)
        return run_command(
            self.job,
            [*this_program(), self.job.name, *words],
            order=replace(order, arguments=words, waits=self.waits),
            max_seconds=self.max_seconds,
            out=self.out,
            err=self.err,
            own=self.own,
        )


def this_program() -> list[str]:
    """Return the words that start this process's program again: its file, or ``-m`` and its name.

    A module's file is not started as a script: its package would stand first on the path, and hide
    what the standard library calls ``http`` or ``signal``.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None or spec.origin != sys.argv[0]:
        return [sys.executable, sys.argv[0]]
    safe = ["-P"] if sys.flags.safe_path else []
    return [sys.executable, *safe, "-m", spec.name.removesuffix(".__main__")]


def result_line(job: Job, result: CommandResult) -> str:
    """Say in one line how a run came out."""
    how = Status(result.status).label
    why = f": {one_line(result.reason)}" if result.reason else ""
    return f"Run {result.run} of {job.name}: {how} after {result.seconds:.1f} s{why}"


def result_facts(job: Job, result: CommandResult) -> dict[str, Any]:
    """Return how a run came out, for JSON."""
    following = slots.after(job, timezone.now())
    facts = asdict(result)
    del facts["asked"]
    return {"job": job.name, **facts, "next_slot": following}


def nothing_facts(job: Job, at: datetime.datetime | None, why: RefusedError) -> dict[str, Any]:
    """Return why there was nothing to do, for JSON."""
    facts = {"job": job.name, "slot": at, "status": "PAUSED", "run": None, "reason": str(why)}
    if isinstance(why, SlotTakenError):
        return {**facts, "status": "TAKEN", "run": why.holder and why.holder.pk}
    if isinstance(why, SkippedError):
        return {**facts, "status": Status.SKIPPED, "run": why.run}
    return facts


def as_json(facts: Any) -> str:
    """Return JSON with times in ISO 8601."""
    return json.dumps(facts, default=datetime.datetime.isoformat)
