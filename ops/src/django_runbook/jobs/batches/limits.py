"""The limit on the damage: more rows than ever before are due by mistake, as a rule."""

import statistics
from collections.abc import Sequence
from typing import Any

from django_runbook.config import Job
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.registry import Transition

#: Fewer rows than this are compared with nothing but ``max_due``: small numbers vary.
FEW = 100
#: A median of fewer slots or days with rows says nothing.
ENOUGH = 3


def exceeded(job: Job, *, due: int, population: int, last: Sequence[int]) -> str:
    """Return which limit ``due`` rows exceed, with the numbers; empty where none.

    ``last`` is what was found due in the last slots or days with rows, of which ten count.
    """
    if job.max_due is not None and due > job.max_due:
        return f"more than the cap of {job.max_due:,} (max_due)"
    if due <= FEW:
        return ""
    last = last[: queries.NIGHTS]
    if job.max_times_median is not None and len(last) >= ENOUGH:
        median = statistics.median(last)
        if due > max(FEW, job.max_times_median * median):
            return (
                f"more than {job.max_times_median:g} times the median of the last {len(last)} "
                f"slots or days with rows, {median:,g} (max_times_median)"
            )
    if job.max_share is not None and due > job.max_share * population:
        return f"more than {job.max_share:.0%} of {population:,} (max_share)"
    return ""


def untried(job: Job, *, due: int, last: Sequence[int]) -> str:
    """Say that ``due`` rows are held against no median, where that is for want of a history."""
    if due <= FEW or job.max_times_median is None or len(last) >= ENOUGH:
        return ""
    return (
        f"not held against a median: the ledger has {len(last)} of the {ENOUGH} slots or days with "
        "rows that it takes (max_times_median)"
    )


def check(job: Job, *, due: int, population: int, last: Sequence[int], allow: int | None) -> None:
    """Let a run of ``due`` rows pass, or raise ``RefusedError`` with the numbers and the way on."""
    if allow is not None:
        if due > allow:
            raise RefusedError(
                f"Refused: {due:,} rows are due, more than --allow {allow}; nothing was changed."
            )
        return
    limit = exceeded(job, due=due, population=population, last=last)
    if limit:
        raise RefusedError(
            f"Refused: {due:,} rows are due, {limit}; nothing was changed. "
            f'If that is right: --allow {due} --reason "..."'
        )


def compared(moved: Transition, due: int, *, allowed: bool = False) -> dict[str, Any]:
    """Return what ``due`` is compared with; few rows, and allowed ones, are with nothing."""
    if allowed or due <= FEW:
        return {"population": 0, "last": ()}
    last = queries.last_due(moved.job, queries.NIGHTS)
    return {"population": moved.everyone().count(), "last": last}
