"""`[tool.ops.jobs]` of pyproject.toml as frozen dataclasses. Standard library only."""

import difflib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIELDS = 5
LONGEST = 30 * 24 * 60  # minutes: 30 days
YEAR = 366 * 24  # hours
MOST = 1000  # workers
SAFETY = 4  # hours: GitHub was seen to be ten hours late, but most often it is one or two
DAY = 24  # hours
#: The options of ``ops.jobs.management.base.JobCommand``.
INPUTS = ("dry-run", "as-of", "allow", "reason")
#: What each key of a table may be, and how to say so.
Rules = Mapping[str, tuple[Callable[[Any], bool], str]]
#: Files beside the system's time zones: this machine's own, and copies that count leap seconds.
NOT_IANA = re.compile(r"localtime|posixrules|Factory|(posix|right)/.*")


class ConfigError(Exception):
    """`[tool.ops]` is wrong. The message names the file, the key, the value and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A management command as ``[tool.ops.jobs.NAME]`` declares it, with the defaults.

    ``cron`` has five fields and is read in ``timezone``; ``ops.schedule.slots`` says what it means.
    A slot that is not done within ``grace_hours`` is missed. A schedule starts the job once more
    ``safety_hours`` after each slot, in case the first start was lost; None for never. An
    ``exclusive`` job runs alone. A run is refused when more is due than ``max_due`` rows, than the
    share ``max_share`` of the population, or than ``max_times_median`` times the median of the last
    successful runs; None sets no limit. ``heartbeat`` names the environment variable that holds the
    address to ping. ``inputs`` are the command's options that whoever starts it by hand may give.
    """

    name: str
    cron: str | None = None
    timezone: str = "UTC"
    timeout_minutes: float = 15
    grace_hours: float = 6
    safety_hours: int | None = SAFETY
    exclusive: bool = False
    max_due: int | None = None
    max_share: float | None = 0.5
    max_times_median: float | None = 10
    heartbeat: str | None = None
    workers: int = 1
    inputs: tuple[str, ...] = INPUTS


def read_job(file: Path, name: str, value: Any) -> Job:
    """Return a declared job. Raises ``ConfigError`` for its first key that breaks its rule."""
    table = f"tool.ops.jobs.{spelt(name)}"
    # Django finds no command whose file begins with _; units and labels carry the name as it is.
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]*", name):
        raise ConfigError(
            f"{file}: {table} is not named as a management command can be; "
            "allowed: letters, digits and _, as in expire_trials."
        )
    values = require_rules(file, table, value, RULES)
    if values.get("exclusive") and values.get("workers", 1) > 1:
        raise ConfigError(
            f"{file}: {table}.workers = {values['workers']} contradicts exclusive = true; "
            "allowed: one of the two."
        )
    grace = values.get("grace_hours", Job.grace_hours)
    if (values.get("safety_hours") or 0) >= grace:
        raise ConfigError(
            f"{file}: {table}.safety_hours = {values['safety_hours']} contradicts grace_hours = "
            f"{grace:g}, after which the slot is missed; allowed: less than that, or false."
        )
    values.setdefault("safety_hours", SAFETY if grace > SAFETY else False)
    return Job(name=name, **{key: _meant(key, given) for key, given in values.items()})


def require_rules(file: Path, table: str, value: Any, rules: Rules) -> dict[str, Any]:
    """Return what a table says. Raises ``ConfigError`` for its first key that breaks its rule."""
    values = require_table(file, table, value)
    for key, given in values.items():
        if key not in rules:
            near = ", ".join(difflib.get_close_matches(key, rules))
            allowed = f"nearest: {near}" if near else f"allowed: {', '.join(rules)}"
            raise ConfigError(f"{file}: {table}.{spelt(key)} is not a known key; {allowed}.")
        fits, allowed = rules[key]
        if not fits(given):
            raise ConfigError(f"{file}: {table}.{_complaint(key, given, allowed)}")
    return dict(values)


def require_table(file: Path, key: str, value: Any) -> dict[str, Any]:
    """Return the value of a key. Raises ``ConfigError`` unless it is a table."""
    if not isinstance(value, dict):
        shown = "[…]" if isinstance(value, list) else repr(value)  # a list may hold a secret
        raise ConfigError(f"{file}: {key} = {shown} is not a table, as in [{key}].")
    return value


def spelt(key: str) -> str:
    """Return a key as TOML spells it, on one line."""
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else repr(key)


def _meant(key: str, value: Any) -> Any:
    """Return the value as a job keeps it: None for what is switched off, no list."""
    if value is False and key != "exclusive":
        return None
    return tuple(value) if isinstance(value, list) else value


def _complaint(key: str, value: Any, allowed: str) -> str:
    """Return what is wrong with a value; what may be a secret address is not repeated."""
    if key != "heartbeat":
        return f"{key} = {value!r} is not {allowed}."
    if "://" in str(value):
        return f"{key} is an address, which is a secret: keep it in {allowed}, and name that."
    shown = f" = {value!r}" if str(value).isidentifier() else ""
    return f"{key}{shown} is not the name of {allowed}."


def _number(
    low: float, high: float = sys.float_info.max, *, above: bool = False, off: bool = False
) -> Callable[[Any], bool]:
    """Return a check for a number; true is none, and neither are nan and infinity."""
    return lambda value: (
        (type(value) in {int, float} and low <= value <= high and not (above and value == low))
        or (off and value is False)
    )


def _whole(high: float = sys.float_info.max, *, off: bool = False) -> Callable[[Any], bool]:
    """Return a check for a whole number from 1."""
    return lambda value: (type(value) is int and 1 <= value <= high) or (off and value is False)


def _is_cron(value: Any) -> bool:
    """Tell whether this has the shape of a cron expression."""
    return isinstance(value, str) and len(value.split()) == FIELDS


def _is_zone(value: Any) -> bool:
    """Tell whether IANA has this time zone."""
    import zoneinfo  # here, so that listing the tasks does not pay for it

    if not isinstance(value, str) or NOT_IANA.fullmatch(value):
        return False
    try:
        return value == "UTC" or bool(zoneinfo.ZoneInfo(value))  # UTC is there without tzdata
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return False


def is_variable(value: Any) -> bool:
    """Tell whether this can be the name of an environment variable."""
    return isinstance(value, str) and bool(re.fullmatch(r"[A-Z][A-Z0-9_]*", value))


def _is_flag(value: Any) -> bool:
    """Tell whether this is true or false."""
    return isinstance(value, bool)


def _are_inputs(value: Any) -> bool:
    """Tell whether these are options that a person may give."""
    return isinstance(value, list) and all(word in INPUTS for word in value)


RULES: Rules = {
    "cron": (_is_cron, 'a string of five fields, as in "17 4 * * *"'),
    "timezone": (_is_zone, 'a time zone of IANA that this machine knows, as in "Europe/Berlin"'),
    "timeout_minutes": (
        _number(0, LONGEST, above=True),
        f"a number of minutes above 0, {LONGEST} at most",
    ),
    "grace_hours": (_number(0, YEAR, above=True), f"a number of hours above 0, {YEAR} at most"),
    "safety_hours": (_whole(DAY - 1, off=True), f"a whole number from 1 to {DAY - 1}, or false"),
    "exclusive": (_is_flag, "true or false"),
    "max_due": (_whole(), "a whole number of at least 1"),
    "max_share": (_number(0, 1, above=True, off=True), "a number above 0, 1 at most, or false"),
    "max_times_median": (_number(1, off=True), "a number of at least 1, or false"),
    "heartbeat": (is_variable, 'an environment variable, as in "EXPIRE_TRIALS_PING"'),
    "workers": (_whole(MOST), f"a whole number from 1 to {MOST}"),
    "inputs": (_are_inputs, f"a list of some of {', '.join(INPUTS)}"),
}
