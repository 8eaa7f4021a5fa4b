"""The declared cron expression as every scheduler means it, and what starts the job once more.

cronsim reads it, and knows more than others do: Kubernetes (robfig/cron) takes no 7 for Sunday,
Debian's crontab(5) no ``5/15``, and none of them ``L`` and ``#``. Where both the day and the
weekday are limited, either may match (POSIX); where one of them begins with ``*``, Debian's cron
wants both, robfig/cron either: such an expression is refused.
"""

import datetime
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from cronsim import CronSim

from django_runbook.config import ConfigError, Job
from django_runbook.schedule import slots
from django_runbook.schedule.gaps import after_gaps

EPOCH = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)  # cronsim wants some time; none is read
MINUTES, HOURS = frozenset(range(60)), frozenset(range(24))
DAYS, MONTHS = frozenset(range(1, 32)), frozenset(range(1, 13))
WEEKDAYS = frozenset(range(7))
#: Every month has this day, and the one after it.
SURE = 27
TERM = r"[0-9]+(-[0-9]+(/[0-9]+)?)?"
#: What every scheduler takes.
PLAIN = re.compile(rf"\*(/[0-9]+)?|{TERM}(,{TERM})*")
FIELDS = ("minutes", "hours", "days", "months", "weekdays")


@dataclass(frozen=True, kw_only=True)
class Cron:
    """The five fields: what they allow, and how to write them for any scheduler."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    words: tuple[str, ...]

    @property
    def any_day(self) -> bool:
        """Whether no day of the month is left out."""
        return self.days == DAYS

    @property
    def any_weekday(self) -> bool:
        """Whether no weekday is left out; Sunday is 0."""
        return self.weekdays == WEEKDAYS

    @property
    def any_month(self) -> bool:
        """Whether no month is left out."""
        return self.months == MONTHS

    def __str__(self) -> str:
        """Return the five fields."""
        return " ".join(self.words)


def read(job: Job) -> Cron:
    """Return the cron expression of a job that has one.

    Raises ``ConfigError`` for one that is never due, or that schedulers do not agree on.
    """
    slots.check(job)
    found = CronSim(job.cron or "", EPOCH)
    if min(found.days) < 0 or not all(isinstance(day, int) for day in found.weekdays):
        raise _refusal(job, "L and # are known to few schedulers", "numbers, names, -, / and ,")
    sets = {
        "minutes": frozenset(found.minutes),
        "hours": frozenset(found.hours),
        "days": frozenset(found.days),
        "months": frozenset(found.months),
        "weekdays": frozenset(int(str(day)) % len(WEEKDAYS) for day in found.weekdays),
    }
    words = list(map(_word, FIELDS, (job.cron or "").split(), sets.values()))
    if not found.day_and and (sets["days"] == DAYS or sets["weekdays"] == WEEKDAYS):
        # One of them is enough, and one is every day.
        sets |= {"days": DAYS, "weekdays": WEEKDAYS}
        words[2] = words[4] = "*"
    cron = Cron(**sets, words=tuple(words))
    if found.day_and and not cron.any_day and not cron.any_weekday:
        raise _refusal(
            job,
            "its day and its weekday are both limited, and one begins with *, which schedulers "
            "read differently",
            "one of the two, or a list for the steps",
        )
    return cron


def safety_net(job: Job) -> tuple[tuple[str, ...], str]:
    """Return the cron lines that start a job ``safety_hours`` after each slot.

    On the wall of the job's zone. Most often it is one line; two where some of the hours are after
    midnight and the days are limited; none where the next slot comes as soon. The text says why
    there is none, or none for the hours after midnight: one line may not be able to tell their day.
    """
    cron, later = read(job), job.safety_hours
    if later is None:
        return (), "safety_hours is off"
    today = {hour + later for hour in cron.hours if hour + later in HOURS} - cron.hours
    tomorrow = {hour + later - len(HOURS) for hour in cron.hours} & HOURS
    minute, _hour, *days = cron.words
    if cron.any_day and cron.any_weekday and cron.any_month:
        today, tomorrow = today | tomorrow - cron.hours, set()
    after = _next_day(cron) if tomorrow else ()
    lines = [
        " ".join((minute, _numbers(hours), *words))
        for hours, words in ((today, days), (tomorrow, after))
        if hours and words
    ]
    if tomorrow and not after:
        return tuple(lines), f"{later} h later may be another month, which one line cannot say"
    return tuple(lines), "" if lines else f"the next slot comes within {later} h"


def lines(job: Job, show: Callable[[str], list[str]], comment: str = "# ") -> list[str]:
    """Return the declared line, the safety net, and what does a slot that daylight saving skips.

    Each as ``show`` writes it, with comments.
    """
    nets, why = safety_net(job)
    shown = show(str(read(job)))
    if nets:
        shown.append(f"{comment}The safety net, {job.safety_hours} h later, for the same slot:")
    shown += chain.from_iterable(map(show, nets))
    if why:
        shown.append(f"{comment}No {'more of a ' if nets else ''}safety net: {why}.")
    if gaps := after_gaps(job):
        shown.append(f"{comment}Right after the hour that daylight saving skips, for its slot:")
    shown += chain.from_iterable(map(show, gaps))
    return shown


def _next_day(cron: Cron) -> tuple[str, ...]:
    """Return day, month and weekday of the days after; nothing where one line cannot say it."""
    sure = cron.any_day or max(cron.days) <= SURE
    if not sure or (not cron.any_month and (cron.any_day or not cron.any_weekday)):
        return ()
    days = "*" if cron.any_day else _numbers(day + 1 for day in cron.days)
    weekdays = (
        "*" if cron.any_weekday else _numbers((day + 1) % len(WEEKDAYS) for day in cron.weekdays)
    )
    return days, cron.words[3], weekdays


def _word(field: str, declared: str, allowed: frozenset[int]) -> str:
    """Return a field as it is declared, or as a list where not every scheduler would take it."""
    sunday_is_7 = field == "weekdays" and re.search("[7-9]", declared)
    return declared if PLAIN.fullmatch(declared) and not sunday_is_7 else _numbers(allowed)


def _numbers(allowed: Iterable[int]) -> str:
    return ",".join(map(str, sorted(allowed)))


def _refusal(job: Job, why: str, allowed: str) -> ConfigError:
    return ConfigError(
        f"tool.django-runbook.jobs.{job.name}.cron = {job.cron!r} cannot be told to a scheduler: "
        f"{why}; allowed: {allowed}."
    )
