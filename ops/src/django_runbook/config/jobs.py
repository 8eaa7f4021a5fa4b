"""`[tool.django-runbook.jobs.NAME]`: when a job runs, and what it may do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django_runbook.config import rules
from django_runbook.config.keys import TABLE, ConfigError, key, read, spelt

LONGEST = 30 * 24 * 60  # minutes: 30 days
YEAR = 366 * 24  # hours
MOST = 1000  # workers
SAFETY = 4  # hours: GitHub was seen to be ten hours late, but most often it is one or two
DAY = 24  # hours
CENTURY = 36_525  # days
OVERLAPS = ("share", "skip", "wait")
#: The options of ``django_runbook.jobs.JobCommand``.
INPUTS = ("dry-run", "as-of", "allow", "reason")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A management command as ``[tool.django-runbook.jobs.NAME]`` declares it.

    ``django_runbook.schedule.slots`` says what the cron expression means. None sets no limit.
    """

    name: str
    cron: str | None = key(
        rules.CRON,
        "When the job is due: minute, hour, day of the month, month, day of the week.",
        default=None,
    )
    timezone: str = key(
        rules.ZONE, "The time zone in which the cron expression is read.", default="UTC"
    )
    timeout_minutes: float = key(
        rules.number(f"a number of minutes above 0, {LONGEST} at most", 0, LONGEST, above=True),
        "How long a run may take. Then it gets SIGTERM, and SIGKILL ten seconds later.",
        default=15,
    )
    grace_hours: float = key(
        rules.number(f"a number of hours above 0, {YEAR} at most", 0, YEAR, above=True),
        "How long after its time a slot may be done. After that it is missed.",
        default=6,
    )
    safety_hours: int | None = key(
        rules.whole(f"a whole number from 1 to {DAY - 1}, or false", DAY - 1, off=True),
        "How many hours after each slot the schedule starts the job once more, in case that the "
        "first start was lost; false for never.",
        default=SAFETY,
    )
    overlap: str = key(
        rules.one_of(OVERLAPS),
        "What a start does while another run of the job is under way: share its rows, skip (exit "
        "code 0, and the slot counts as skipped), or wait for its end, within timeout_minutes.",
        default="share",
    )
    max_due: int | None = key(
        rules.whole("a whole number of at least 1"),
        "A run is refused when more rows than this are due.",
        default=None,
    )
    max_share: float | None = key(
        rules.number("a number above 0, 1 at most, or false", 0, 1, above=True, off=True),
        "A run is refused when more than this share of all rows is due; false for no limit.",
        default=0.5,
    )
    max_times_median: float | None = key(
        rules.number("a number of at least 1, or false", 1, off=True),
        "A run is refused when more is due than this many times the median of the last ten slots, "
        "or days without one, whose runs succeeded and found rows. With fewer than three of them "
        "it is not asked; false for no limit.",
        default=10,
    )
    heartbeat: str | None = key(
        rules.variable('an environment variable, as in "EXPIRE_TRIALS_PING"'),
        "The environment variable that holds the address to ping.",
        default=None,
    )
    workers: int = key(
        rules.whole(f"a whole number from 1 to {MOST}", MOST),
        "How many processes share the rows of one slot.",
        default=1,
    )
    throttle: float = key(
        rules.number("a number above 0, 1 at most", 0, 1, above=True),
        "The share of its time that a run works; between two batches it rests for the others.",
        default=1,
    )
    max_lag_seconds: float | None = key(
        rules.number("a number of seconds above 0, or false", 0, above=True, off=True),
        "By how many seconds a streaming replica of PostgreSQL may be behind: while one is further "
        "behind, no batch begins. The role must be in pg_read_all_stats.",
        default=None,
    )
    inputs: tuple[str, ...] = key(
        rules.some_of(INPUTS),
        "The options that whoever starts the job by hand may give.",
        default=INPUTS,
    )

    @property
    def alone(self) -> bool:
        """Whether no two runs of the job are under way at once."""
        return self.overlap != "share"

    @property
    def label(self) -> str:
        """The name where only small letters and hyphens are allowed, as by Kubernetes."""
        return self.name.lower().replace("_", "-").strip("-")


@dataclass(frozen=True, kw_only=True)
class JobsTable:
    """The keys of ``[tool.django-runbook.jobs]`` itself, beside the tables of the jobs."""

    keep_days: int | None = key(
        rules.whole(f"a whole number of days from 1 to {CENTURY}", CENTURY),
        "How many days the ledger keeps a run after its end, and so how long a run can be undone. "
        "inv jobs.prune removes older ones, but for those that a later run, inv jobs.status or a "
        "limit still stands on.",
        default=None,
    )


def read_job(file: Path, name: str, value: Any) -> Job:
    """Return a declared job. Raises ``ConfigError`` for its first key that breaks its rule."""
    table = f"{TABLE}.jobs.{spelt(name)}"
    # Django finds no command whose file begins with _; units and labels carry the name as it is.
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]*", name):
        raise ConfigError(
            f"{file}: {table} is not named as a management command can be; "
            "allowed: letters, digits and _, as in expire_trials."
        )
    values = read(file, table, value, Job)
    overlap = values.get("overlap", Job.overlap)
    if overlap != Job.overlap and values.get("workers", 1) > 1:
        raise ConfigError(
            f"{file}: {table}.workers = {values['workers']} contradicts overlap = {overlap!r}; "
            "allowed: one of the two."
        )
    grace = values.get("grace_hours", Job.grace_hours)
    if (values.get("safety_hours") or 0) >= grace:
        raise ConfigError(
            f"{file}: {table}.safety_hours = {values['safety_hours']} contradicts grace_hours = "
            f"{grace:g}, after which the slot is missed; allowed: less than that, or false."
        )
    values.setdefault("safety_hours", SAFETY if grace > SAFETY else None)
    return Job(name=name, **values)


def require_apart(file: Path, jobs: Mapping[str, Job]) -> None:
    """Raise ``ConfigError`` for two jobs that one scheduler or another would call the same.

    The names of workflows and units are files, and not every disk tells capitals apart.
    """
    seen: dict[str, str] = {}
    for name, job in jobs.items():
        other = seen.setdefault(job.label, name)
        if other != name:
            raise ConfigError(
                f"{file}: {TABLE}.jobs.{name} and {TABLE}.jobs.{other} are both exported as "
                f"{job.label}; allowed: names that differ in more than capitals and _ at the end."
            )
