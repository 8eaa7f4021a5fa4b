"""Why an account did or did not expire."""

import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from accounts.models import Account, Status, trial_time_with_grace
from django_runbook.jobs import Explanation


def explain_account(text: str, now: datetime.datetime) -> Explanation:
    """Say where the account stands that ``text`` names: by its number, or its user's name or mail.

    ``now`` is aware. Raises ``LookupError`` with a sentence where there is none, or several.
    """
    account = _find(text)
    ends, over = account.trial_ends_at, account.created + trial_time_with_grace()
    lines = [f"Account {account.pk} of {account.user} is {account.status}."]
    if account.status in (Status.TRIALING, Status.TRIAL_EXPIRED):
        lines.append(
            f"It was created {_minute(account.created)} UTC: {settings.TRIAL_DAYS} day(s) of trial "
            f"end {_minute(ends)}, {settings.TRIAL_GRACE_DAYS} more of grace {_minute(over)}."
        )
    if account.status != Status.TRIALING:
        lines.append("Only accounts that are TRIALING expire.")
        return Explanation(pk=account.pk, lines=tuple(lines), due_from=None)
    lines.append("That is over: it is due." if over < now else "It is not due before.")
    return Explanation(pk=account.pk, lines=tuple(lines), due_from=over)


def _find(text: str) -> Account:
    """Return the account of this number, else of this user's name, else of this mail."""
    ways: list[dict[str, Any]] = [{f"user__{get_user_model().USERNAME_FIELD}": text}]
    if text.isdecimal():
        ways.insert(0, {"pk": int(text)})
    if text:  # many have no mail
        ways.append({"user__email__iexact": text})
    for way in ways:
        found = list(Account.objects.select_related("user").filter(**way).order_by("pk")[:5])
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(account.pk) for account in found)
            raise LookupError(f"Several accounts answer to '{text}': {numbers}. Give the number.")
    raise LookupError(
        f"No account answers to '{text}'. Give an account's number, its user's name or mail."
    )


def _minute(at: datetime.datetime) -> str:
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M}"
