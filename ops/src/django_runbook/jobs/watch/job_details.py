"""Everything about one job: how it is, its limits, what it usually takes, its coming slots."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from django_runbook.config import Job, of_settings
from django_runbook.jobs import registry
from django_runbook.jobs.batches import limits
from django_runbook.jobs.ledger.pauses import PauseState, slots_outside
from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.ledger.reading.history import Length, length
from django_runbook.jobs.watch.snapshot import snapshot
from django_runbook.jobs.watch.status import NEVER, Health, health
from django_runbook.jobs.watch.strips import SlotState, strip
from django_runbook.schedule import github
from django_runbook.schedule.wording import words

COMING = 10
#: More rows than anybody has: what ``limits`` says of them names the limit.
ENDLESS = 10**18
GITHUB = "https://github.com/{repository}/actions/workflows/{file}"


@dataclass(frozen=True, kw_only=True)
class LimitState:
    """A limit on the rows of a run: what is declared (None for no limit), and what that means."""

    name: str
    value: float | None
    text: str


@dataclass(frozen=True, kw_only=True)
class JobDetails:
    """Everything about a job.

    ``pauses`` are all of them, the oldest first, ``coming`` the next slots that lie in none.
    ``found`` is how many rows were found due in each of the slots, or days, that the limit on the
    median stands on, newest first. ``where`` is the file in which the schedule lives, and
    ``workflow_url`` its page on GitHub, where a repository is declared. ``lengths`` are those of
    its newest runs, the oldest first. ``explains`` says whether it can tell the story of a row.
    """

    job: Job
    declared: bool
    health: Health
    strip: tuple[SlotState, ...]
    pauses: tuple[PauseState, ...]
    coming: tuple[datetime.datetime, ...]
    limits: tuple[LimitState, ...]
    found: tuple[tuple[datetime.date, int], ...]
    usual: datetime.timedelta | None
    lengths: tuple[Length, ...]
    schedule: str
    where: str
    workflow_url: str | None
    transition: bool
    explains: bool


def job_details(name: str, now: datetime.datetime) -> JobDetails:
    """Return everything about a job at ``now`` (aware), whether it is declared or not.

    Five queries; of a transition two more, one for its limits and one for rows that are overdue.
    """
    job, moved = registry.job(name), registry.transitions().get(name)
    (seen,) = snapshot([job], now, strips=True, usual=True)
    nights = queries.last_nights(name, queries.NIGHTS) if moved else {}
    found = tuple((night, run.due or 0) for night, run in nights.items())
    where, url = _home(job)
    return JobDetails(
        job=job,
        declared=any(one.name == name for one in registry.declared()),
        health=health(seen),
        strip=strip(seen),
        pauses=tuple(seen.pauses),
        coming=tuple(islice(slots_outside(job, now, NEVER, seen.pauses), COMING)),
        limits=tuple(_limits(job, [due for _night, due in found])) if moved else (),
        found=found,
        usual=seen.usual,
        lengths=tuple(length(run) for run in reversed(seen.runs)),
        schedule=words(job),
        where=where,
        workflow_url=url,
        transition=moved is not None,
        explains=moved is not None and moved.explain is not None,
    )


def _limits(job: Job, last: Sequence[int]) -> Iterator[LimitState]:
    """Yield each limit as a run is held against it: what is refused, or why nothing is."""
    for name in ("max_due", "max_times_median", "max_share"):
        value = getattr(job, name)
        alone = replace(Job(name=job.name, max_share=None, max_times_median=None), **{name: value})
        if value is None:
            text = "no limit"
        elif name == "max_share":
            text = f"more than {value:.0%} of all rows ({name})"  # counted at a run alone
        else:
            refused = limits.exceeded(alone, due=ENDLESS, population=ENDLESS, last=last)
            text = refused or limits.untried(alone, due=ENDLESS, last=last)
        yield LimitState(name=name, value=value, text=text)


def _home(job: Job) -> tuple[str, str | None]:
    """Return the file in which the schedule of a job lives, and its page on GitHub."""
    config = of_settings()
    if job.cron is None or config is None:
        return "", None
    if config.schedule.repository is None:
        return "pyproject.toml", None
    file = github.file_name(job.name)
    name = file.rpartition("/")[2]
    return file, GITHUB.format(repository=config.schedule.repository, file=name)
