"""Changes to the accounts. Each takes the time as an argument and returns a frozen result."""

import datetime
from dataclasses import dataclass

from accounts.errors import RefusedError
from accounts.jobs import EXPIRE_TRIALS
from django_runbook.jobs import Order, Stop, Watch, preview_transition, run_transition


@dataclass(frozen=True, kw_only=True)
class ExpireResult:
    """What one expiry found and did; a dry run has no ``run`` in the ledger.

    ``failed`` counts those that could not be expired. ``left`` is what a separate query still found
    due afterwards; None where a run that was stopped did not wait for it. ``limit`` says of a dry
    run which limit a real one would exceed, and ``note`` which has nothing to compare with yet.
    ``warnings`` are what went wrong beside the job.
    """

    as_of: datetime.datetime
    cutoff: datetime.datetime
    dry_run: bool
    due: int
    expired: int
    failed: int = 0
    run: int | None = None
    status: str | None = None
    batches: int = 0
    left: int | None = 0
    seconds: float = 0.0
    reason: str = ""
    continues: int | None = None
    limit: str = ""
    note: str = ""
    warnings: tuple[str, ...] = ()


def expire_trials(
    *,
    now: datetime.datetime,
    as_of: datetime.datetime | None = None,
    dry_run: bool = False,
    order: Order | None = None,
    stop: Stop | None = None,
    watch: Watch | None = None,
) -> ExpireResult:
    """Move the trials that are over at ``as_of`` (default ``now``, both aware) to TRIAL_EXPIRED.

    Over means: created more than TRIAL_DAYS and TRIAL_GRACE_DAYS before, counted in days of 24
    hours, so that daylight saving shortens nobody's trial. The status stands in the UPDATE itself:
    an account that pays in between stays ACTIVE.

    Raises ``RefusedError`` for a time after ``now``, unless it is a dry run, and what
    ``run_transition`` raises.
    """
    if dry_run:
        seen = preview_transition(EXPIRE_TRIALS, now=now, as_of=as_of, stop=stop)
        return ExpireResult(
            as_of=seen.as_of,
            cutoff=seen.cutoff,
            dry_run=True,
            due=seen.due,
            expired=0,
            limit=seen.limit,
            note=seen.note,
        )
    if as_of and as_of > now:
        raise RefusedError(
            f"{as_of.astimezone(datetime.UTC).isoformat()} is in the future: nothing was expired. "
            "Add --dry-run to see what would be due then."
        )
    done = run_transition(EXPIRE_TRIALS, now=now, as_of=as_of, order=order, stop=stop, watch=watch)
    return ExpireResult(
        as_of=done.as_of,
        cutoff=done.cutoff,
        dry_run=False,
        due=done.due,
        expired=done.changed,
        failed=done.failed,
        run=done.run,
        status=done.status,
        batches=done.batches,
        left=done.left,
        seconds=done.seconds,
        reason=done.reason,
        continues=done.continues,
        warnings=done.warnings,
    )
