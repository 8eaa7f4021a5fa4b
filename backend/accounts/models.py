"""The account of a user: in trial, paying, or ended."""

import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone


def trial_time() -> datetime.timedelta:
    """Return how long a trial lasts, as the user is told."""
    return datetime.timedelta(days=settings.TRIAL_DAYS)


def trial_time_with_grace() -> datetime.timedelta:
    """Return how long a trial really works: the days of grace avoid complaints."""
    return trial_time() + datetime.timedelta(days=settings.TRIAL_GRACE_DAYS)


class Status(models.TextChoices):
    """Where an account stands."""

    EXEMPT = "EXEMPT", "exempt from payment"
    TRIALING = "TRIALING", "trialing"
    ACTIVE = "ACTIVE", "active"
    PAST_DUE = "PAST_DUE", "payment past due"
    CANCELED = "CANCELED", "canceled"
    TRIAL_EXPIRED = "TRIAL_EXPIRED", "trial expired"


class Account(models.Model):
    """One per user, opened together with the user."""

    EXEMPT = Status.EXEMPT
    TRIALING = Status.TRIALING
    ACTIVE = Status.ACTIVE
    PAST_DUE = Status.PAST_DUE
    CANCELED = Status.CANCELED
    TRIAL_EXPIRED = Status.TRIAL_EXPIRED

    #: A failed payment is retried for some days; until then the service goes on.
    WITH_ACCESS = frozenset({Status.EXEMPT, Status.ACTIVE, Status.PAST_DUE})

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="account"
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.TRIALING)
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        """Rules that the database keeps, and the index of the daily job."""

        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values),
                name="accounts_account_status_valid",
            ),
        )
        indexes = (
            # Only trials stand in it, oldest first: the daily look-up reads what is due.
            models.Index(
                fields=("created", "id"),
                condition=models.Q(status=Status.TRIALING),
                name="accounts_account_trialing",
            ),
        )

    def __str__(self) -> str:
        """Return the user's name and the status."""
        return f"{self.user} ({self.get_status_display()})"

    @property
    def trial_ends_at(self) -> datetime.datetime:
        """The instant that the user is told; access goes on for the days of grace."""
        return self.created + trial_time()

    def has_access(self, now: datetime.datetime) -> bool:
        """Tell whether the service is open to this account at ``now`` (aware).

        A trial ends by the clock, so that a late or lost expiry gives nothing away.
        """
        if self.status == self.TRIALING:
            return self.created >= now - trial_time_with_grace()
        return self.status in self.WITH_ACCESS
