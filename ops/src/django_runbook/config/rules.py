"""What the value of a key may be: checks, each with the words that say what is allowed."""

import re
import sys
from typing import Any

from django_runbook.config.keys import Rule

CRON_FIELDS = 5
#: Files beside the system's time zones: this machine's own, and copies that count leap seconds.
NOT_IANA = r"localtime|posixrules|Factory|(posix|right)/.*"


def number(allowed: str, low: float, high: float = sys.float_info.max, **more: bool) -> Rule:
    """Return the rule of a number; true is none, and neither are nan and infinity.

    ``above``: ``low`` itself is not allowed. ``off``: so is false, which is kept as None.
    """

    def fits(value: Any) -> bool:
        inside = type(value) in {int, float} and low <= value <= high
        return _is_off(value, more) or (inside and not (more.get("above") and value == low))

    return Rule(fits, allowed, meant=_none_for_false)


def whole(allowed: str, high: float = sys.float_info.max, **more: bool) -> Rule:
    """Return the rule of a whole number from 1. ``off``: false is allowed, and kept as None."""
    return Rule(
        lambda value: _is_off(value, more) or (type(value) is int and 1 <= value <= high),
        allowed,
        meant=_none_for_false,
    )


def text(pattern: str, allowed: str) -> Rule:
    """Return the rule of a text; what a file of a scheduler could misread does not pass."""
    return Rule(
        lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value, re.ASCII)),
        allowed,
    )


def one_of(words: tuple[str, ...]) -> Rule:
    """Return the rule of a text that is one of these words."""
    allowed = " or ".join((", ".join(f'"{word}"' for word in words[:-1]), f'"{words[-1]}"'))
    return Rule(lambda value: isinstance(value, str) and value in words, allowed)


def some_of(words: tuple[str, ...]) -> Rule:
    """Return the rule of a list of some of these words."""
    return Rule(
        lambda value: isinstance(value, list) and all(word in words for word in value),
        f"a list of some of {', '.join(words)}",
    )


def variable(allowed: str) -> Rule:
    """Return the rule of the name of an environment variable: its value may be a secret."""
    return Rule(is_variable, allowed, private=True)


def is_variable(value: Any) -> bool:
    """Tell whether this can be the name of an environment variable."""
    return isinstance(value, str) and bool(re.fullmatch(r"[A-Z][A-Z0-9_]*", value))


def _is_off(value: Any, more: dict[str, bool]) -> bool:
    return value is False and more.get("off", False)


def _none_for_false(value: Any) -> Any:
    return None if value is False else value


def _is_cron(value: Any) -> bool:
    """Tell whether this has the shape of a cron expression."""
    return isinstance(value, str) and len(value.split()) == CRON_FIELDS


def _is_zone(value: Any) -> bool:
    """Tell whether IANA has this time zone."""
    if value == "UTC":  # there without tzdata
        return True
    if not isinstance(value, str) or re.fullmatch(NOT_IANA, value):
        return False
    import zoneinfo  # here, because most tasks need no other zone

    try:
        return bool(zoneinfo.ZoneInfo(value))
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return False


def _are_variables(value: Any) -> bool:
    """Tell whether these can be names of environment variables, each once."""
    is_list = isinstance(value, list) and all(map(is_variable, value))
    return is_list and len(set(value)) == len(value)


CRON = Rule(_is_cron, 'a string of five fields, as in "17 4 * * *"')
VARIABLES = Rule(_are_variables, 'a list of environment variables, as in ["DATABASE_URL"]')
ZONE = Rule(_is_zone, 'a time zone of IANA that this machine knows, as in "Europe/Berlin"')
