"""What must hold before a job may run: its schema, and a clock that can be trusted."""

import datetime
from dataclasses import dataclass

from django_runbook.jobs.database.clock import require_clock
from django_runbook.schema.database.target import Target, require_applied, target
from django_runbook.schema.history.unknown import unknown


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What was looked at: the target, and how far this machine's clock is ahead, in seconds.

    ``unknown`` are migrations of newer code that the database has and this code has not.
    """

    target: Target
    skew: float
    unknown: tuple[str, ...] = ()


def preflight(now: datetime.datetime) -> Preflight:
    """Look at the target's migrations and compare ``now`` (aware) with the database's clock.

    Raises ``UnappliedError``, and ``RefusedError`` where the clocks are more than a minute apart.
    """
    require_applied()
    skew = require_clock(now)
    return Preflight(target=target(), skew=round(skew.total_seconds(), 3), unknown=tuple(unknown()))
