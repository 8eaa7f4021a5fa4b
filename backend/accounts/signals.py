"""Opens an account with each new user."""

from typing import Any

from django.conf import settings
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import Account


@receiver(post_save, sender=settings.AUTH_USER_MODEL, dispatch_uid="accounts.open_account")
def open_account(*, instance: Any, created: bool, raw: bool, using: str, **_: Any) -> None:
    """Open the account of a new user; ``loaddata`` (raw) brings its own."""
    if created and not raw:
        Account.objects.using(using).create(user=instance)
