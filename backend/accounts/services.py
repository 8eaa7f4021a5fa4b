"""Changes to the accounts. Each takes the time as an argument and returns a frozen result."""

import datetime
from dataclasses import dataclass

from accounts.errors import RefusedError
from accounts.models import Account, trial_time_with_grace
from accounts.selectors import overdue_trials


@dataclass(frozen=True, kw_only=True)
class ExpireResult:
    """What one expiry found and did."""

    as_of: datetime.datetime
    cutoff: datetime.datetime
    dry_run: bool
    due: int
    expired: int


def expire_trials(
    *, now: datetime.datetime, as_of: datetime.datetime | None = None, dry_run: bool = False
) -> ExpireResult:
    """Move the trials that are over at ``as_of`` (default ``now``, both aware) to TRIAL_EXPIRED.

    Over means: created more than TRIAL_DAYS and TRIAL_GRACE_DAYS before, counted in days of 24
    hours, so that daylight saving shortens nobody's trial. The status stands in the UPDATE itself:
    an account that pays in between stays ACTIVE.

    Raises ``RefusedError`` for a time after ``now``, unless it is a dry run.
    """
    as_of = (as_of or now).astimezone(datetime.UTC)
    if as_of > now and not dry_run:
        raise RefusedError(
            f"{as_of.isoformat()} is in the future: nothing was expired. "
            "Add --dry-run to see what would be due then."
        )
    cutoff = as_of - trial_time_with_grace()
    overdue = overdue_trials(cutoff)
    due = overdue.count()
    expired = 0 if dry_run else overdue.update(status=Account.TRIAL_EXPIRED)
    return ExpireResult(as_of=as_of, cutoff=cutoff, dry_run=dry_run, due=due, expired=expired)
