"""How a person types a time."""

import datetime
from argparse import ArgumentTypeError


def instant(text: str) -> datetime.datetime:
    """Read an ISO 8601 time with its zone, such as ``2026-03-01T04:00Z``, for argparse."""
    try:
        value = datetime.datetime.fromisoformat(text)
        if value.tzinfo:
            return value.astimezone(datetime.UTC)
    except (ValueError, OverflowError):  # the first and the last year have no other zones
        pass
    raise ArgumentTypeError(f"'{text}' is not a time with its zone, as in 2026-03-01T04:00Z")
