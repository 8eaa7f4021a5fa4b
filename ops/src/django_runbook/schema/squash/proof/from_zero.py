"""Runs both ways from zero, in turn, and measures them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django_runbook.schema.history.failures import told
from django_runbook.schema.squash.proof import comparable_rows, comparison
from django_runbook.schema.squash.proof.comparable_rows import Rows
from django_runbook.schema.squash.proof.engine import EngineTrial, OldPathError
from django_runbook.schema.squash.proof.migration_paths import Mark, Path, mark
from django_runbook.schema.squash.proof.results import Check


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run: its seconds, and the database at the range's end, and at the project's.

    The second is missing where the rest of the project fails: ``error`` is why.
    """

    seconds: float
    marks: tuple[Mark, ...]
    error: str = ""


def from_zero(trial: EngineTrial, repeats: int) -> tuple[tuple[str, str], tuple[float, float]]:
    """Compare both ways at the end of the range and of the whole project.

    Returns the digests of both at the range's end, and the medians of the seconds for the whole
    project; for the range alone where the rest of the project cannot be applied on this engine,
    which is a gap. Raises ``OldPathError`` where the old way fails.
    """
    old: list[_Run] = []
    new: list[_Run] = []
    for number in range(repeats):
        trial.progress(trial.workshop.vendor, "from zero", number, repeats)
        try:
            old.append(_run(trial, trial.old))
        except Exception as error:
            raise OldPathError(told(error)) from error
        try:
            new.append(_run(trial, trial.new))
        except Exception as error:  # noqa: BLE001  # a migration may raise anything
            trial.failed(told(error), None, Check.ROWS)
            return ("", ""), (0.0, 0.0)
    if old[0].error:
        trial.gaps[f"The rest of the project cannot be applied: {old[0].error}"] = None
    elif new[0].error:
        trial.failed(new[0].error, None, Check.ROWS)
    for at, (before, after) in enumerate(zip(old[0].marks, new[0].marks, strict=False)):
        found = comparison.found(before, after, partial(_again, trial, old, at))
        trial.take(found, None, Check.ROWS)
    trial.rows += comparable_rows.count(old[0].marks[-1].rows)
    return (_digest(old), _digest(new)), (_median(old), _median(new))


def _digest(runs: Sequence[_Run]) -> str:
    return runs[0].marks[0].schema.digest


def _median(runs: Sequence[_Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def _again(trial: EngineTrial, old: Sequence[_Run], at: int) -> Rows:
    later = old[-1] if len(old) > 1 else _run(trial, trial.old)
    return later.marks[at].rows


def _run(trial: EngineTrial, path: Path) -> _Run:
    """Run one way to the range's end, which must not fail, and on to the project's."""
    database = trial.workshop.create()
    try:
        upgrades = trial.upgrades
        seconds = path.run(database, upgrades.squashed if path.squashed else upgrades.chain)
        end = mark(database)
        try:
            more = path.run(database)
        except Exception as error:  # noqa: BLE001  # a migration may raise anything
            return _Run(seconds=seconds, marks=(end,), error=told(error))
        return _Run(seconds=seconds + more, marks=(end, mark(database)))
    finally:
        trial.workshop.drop(database)
