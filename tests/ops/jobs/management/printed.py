"""What the commands of the ledger print at a fixed time."""

import datetime
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

NOW = datetime.datetime(2026, 3, 2, 11, 29, 30, tzinfo=datetime.UTC)  # a Monday
SLOT = datetime.datetime(2026, 3, 2, 4, 17, tzinfo=datetime.UTC)
DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)
TRIAL = datetime.timedelta(days=61)
EXPIRY = {
    "model": "accounts.account",
    "was": {"status": "TRIALING"},
    "to": {"status": "TRIAL_EXPIRED"},
}
CI = "https://ci.example/acme/shop/actions/runs/123456789/attempts/1"


def run(*argv: str) -> str:
    """Return what a command prints at NOW."""
    out = StringIO()
    with time_machine.travel(NOW, tick=False):
        call_command(*argv, stdout=out)
    return out.getvalue()


def failed(*argv: str) -> tuple[int, str, str]:
    """Return exit code, message and output of a command that must fail at NOW."""
    out = StringIO()
    with time_machine.travel(NOW, tick=False), pytest.raises(CommandError) as failure:
        call_command(*argv, stdout=out)
    return failure.value.returncode, str(failure.value), out.getvalue()
