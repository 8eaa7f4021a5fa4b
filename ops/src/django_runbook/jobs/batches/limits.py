"""The limit on the damage: more rows than ever before are due by mistake, as a rule."""

import statistics
from collections.abc import Sequence

from django_runbook.config import Job
from django_runbook.jobs.errors import RefusedError

#: Fewer rows than this are compared with nothing but ``max_due``: small numbers vary.
FEW = 100
#: A median of fewer runs says nothing.
ENOUGH_RUNS = 3
LAST_RUNS = 10


def exceeded(job: Job, *, due: int, population: int, last: Sequence[int]) -> str:
    """Return which limit ``due`` rows exceed, with the numbers; empty where none.

    ``last`` is what the last successful runs found due, of which the newest ten count.
    """
    if job.max_due is not None and due > job.max_due:
        return f"more than the cap of {job.max_due:,} (max_due)"
    if due <= FEW:
        return ""
    last = last[:LAST_RUNS]
    if job.max_times_median is not None and len(last) >= ENOUGH_RUNS:
        median = statistics.median(last)
        if due > max(FEW, job.max_times_median * median):
            return (
                f"more than {job.max_times_median:g} times the median of the last "
                f"{len(last)} runs, {median:,g} (max_times_median)"
            )
    if job.max_share is not None and due > job.max_share * population:
        return f"more than {job.max_share:.0%} of {population:,} (max_share)"
    return ""


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
