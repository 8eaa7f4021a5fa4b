"""Reads of the accounts."""

import datetime

from django.db.models import Count, QuerySet

from accounts.models import Account, Status


def trials() -> QuerySet[Account]:
    """Return the accounts in trial."""
    return Account.objects.filter(status=Account.TRIALING)


def overdue_trials(cutoff: datetime.datetime) -> QuerySet[Account]:
    """Return the accounts still in trial that were created before ``cutoff`` (aware)."""
    return trials().filter(created__lt=cutoff)


def count_by_status() -> dict[str, int]:
    """Return how many accounts stand in each status, every status named, in their order."""
    counts = dict(Account.objects.values_list("status").annotate(Count("id")).order_by())
    return {str(status): counts.get(status, 0) for status in Status}
