"""The job, with one of its phases held up: started by tests as a script."""

import datetime
import sys
from collections.abc import Callable
from typing import Any

import django

#: A number that takes minutes to count, on any engine.
ENDLESS = """
    (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000)
    SELECT count(*) FROM n)
"""


def _handing_over(phase: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``work`` that says before it begins that it does, and waits for a line."""

    def handed_over(*arguments: Any, **values: Any) -> Any:
        print(phase)
        sys.stdin.readline()
        return work(*arguments, **values)

    return handed_over


def _arrange(phase: str, how: str) -> None:
    """Let the phase begin with a word, and take minutes where that is how it waits."""
    from django.db.models.expressions import RawSQL

    from accounts.jobs import EXPIRE_TRIALS
    from accounts.models import Account
    from django_runbook.jobs.batches import preview, run_transition
    from django_runbook.jobs.ledger import runs

    task = run_transition._Task
    owner, name = {
        "opening": (runs, "open_run"),
        "counting": (task, "guard"),
        "verifying": (task, "left"),
        "looking": (preview, "_preview"),
    }[phase]
    work = getattr(owner, name)
    if how == "slow":

        def slowly(*arguments: Any) -> Any:
            every = Account.objects.filter(pk__gt=RawSQL(ENDLESS, []))
            object.__setattr__(EXPIRE_TRIALS, "due", lambda _at: every)
            return original(*arguments)

        original, work = work, slowly
    setattr(owner, name, _handing_over(phase, work))


def _hurry() -> None:
    """Let a heart stop within a second, and beat more often."""
    from django_runbook.jobs.ledger import heart, leases, runs

    runs.LOST_AFTER = leases.DURATION = datetime.timedelta(seconds=1)
    heart.LOOK_SECONDS, heart.BEAT_SECONDS = 0.1, 0.2


if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    from tests.ops.jobs import forks

    django.setup()
    where, why, *rest = sys.argv[1:]
    if "hurry" in rest:
        rest.remove("hurry")
        _hurry()
        forks.adapt(overlap="skip")
    _arrange(where, why)
    execute_from_command_line(["manage.py", "expire_trials", *rest])
