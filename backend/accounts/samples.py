"""Sample accounts of a realistic spread, for the demo and for benchmarks."""

import datetime
import random
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction

from accounts.errors import RefusedError
from accounts.models import Account, Status, trial_time_with_grace
from users.models import Profile

#: What became of those who signed up long ago, in parts of a hundred.
OUTCOMES = {
    Status.ACTIVE: 38,
    Status.TRIAL_EXPIRED: 40,
    Status.CANCELED: 15,
    Status.PAST_DUE: 5,
    Status.EXEMPT: 2,
}
#: How long the job is taken to have been off: trials that ended since are overdue.
OUTAGE = datetime.timedelta(days=9)
#: The share of those who are in their trial, or were when the job went off, without a subscription.
UNDECIDED = 0.8
OLDEST = datetime.timedelta(days=730)
#: Some have given no name, and some have said how they want to be called.
FIRST_NAMES = ("Ada", "Björn", "Chiara", "Dmitri", "Emeka", "Fatima", "Grace", "Hiro", "")
LAST_NAMES = ("Lovelace", "Åberg", "Rossi", "Ivanov", "Okafor", "Haddad", "Hopper", "Sato", "")
CALLED = 0.2
CHUNK = 5_000


def create_sample_accounts(count: int, *, now: datetime.datetime, seed: int = 1) -> int:
    """Create ``count`` users with accounts as two years of growth and a nine-day outage leave them.

    The same ``seed`` and ``now`` give the same accounts. The users cannot log in. Raises
    ``RefusedError`` where accounts exist already, so that samples never mix with real ones.
    """
    if Account.objects.exists():
        raise RefusedError("This database holds accounts already: samples go into an empty one.")
    rng = random.Random(seed)  # noqa: S311  # sample data, nothing secret
    with transaction.atomic():
        for start in range(0, count, CHUNK):
            _create(range(start, min(start + CHUNK, count)), now=now, rng=rng)
    return count


def _create(numbers: range, *, now: datetime.datetime, rng: random.Random) -> None:
    user_model = get_user_model()
    users = [
        user_model(
            username=f"sample{number:07}",
            first_name=FIRST_NAMES[number % len(FIRST_NAMES)],
            last_name=LAST_NAMES[number // len(FIRST_NAMES) % len(LAST_NAMES)],
            email=f"sample{number:07}@example.com",
            password=UNUSABLE_PASSWORD_PREFIX,
        )
        for number in numbers
    ]
    accounts = [_account(user, now=now, rng=rng) for user in users]
    for user, account in zip(users, accounts, strict=True):
        user.date_joined = account.created
    user_model.objects.bulk_create(users)
    Account.objects.bulk_create(accounts)
    Profile.objects.bulk_create(
        Profile(user=user, display_name=user.first_name if rng.random() < CALLED else "")
        for user in users
    )


def _account(user: Any, *, now: datetime.datetime, rng: random.Random) -> Account:
    """Sign-ups grow, so most accounts are young; who is beyond the trial has mostly decided."""
    age = OLDEST * rng.random() ** 2
    status = rng.choices(list(OUTCOMES), weights=list(OUTCOMES.values()))[0]
    if age < trial_time_with_grace() + OUTAGE and rng.random() < UNDECIDED:
        status = Status.TRIALING
    return Account(user=user, status=status, created=now - age)
