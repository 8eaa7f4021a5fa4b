"""Runs both ways side by side at every jump: on the state as it is, and with made-up rows."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.history.graph import Key
from django_runbook.schema.review.rehearsal.rows.filling import fill
from django_runbook.schema.scratch.databases import in_place
from django_runbook.schema.squash.proof import comparable_rows
from django_runbook.schema.squash.proof.comparable_rows import Rows
from django_runbook.schema.squash.proof.comparison import Found
from django_runbook.schema.squash.proof.engine import EngineTrial, OldPathError
from django_runbook.schema.squash.proof.migration_paths import state_at
from django_runbook.schema.squash.proof.results import Check
from django_runbook.schema.squash.proof.upgrades import Jump

#: Rows that are made up for each table.
SEEDS = 20


def jumps(trial: EngineTrial) -> None:
    """Try every jump. One database goes the old way; copies of it go both.

    Raises ``OldPathError`` where the old migrations cannot be applied on this engine.
    """
    walk, done = trial.workshop.create(), 0
    for number, jump in enumerate(trial.upgrades.jumps):
        trial.progress(trial.workshop.vendor, "upgrades", number, len(trial.upgrades.jumps))
        if jump.start < done:
            trial.workshop.drop(walk)
            walk, done = trial.workshop.create(), 0
        trial.run_old(walk, trial.upgrades.chain[done : jump.start])
        done = jump.start
        if jump.inside:
            if not _seeded(trial, walk, jump):
                trial.workshop.drop(_plain(trial, walk, jump))
            continue
        before = len(trial.defects)
        there = _plain(trial, walk, jump)
        if len(trial.defects) == before:
            _seeded(trial, walk, jump)
        trial.workshop.drop(walk)
        walk, done = there, jump.end
    trial.workshop.drop(walk)


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two equal databases, one for each way, and what makes a third one."""

    old: BaseDatabaseWrapper
    new: BaseDatabaseWrapper
    third: Callable[[], BaseDatabaseWrapper]


def _plain(trial: EngineTrial, walk: BaseDatabaseWrapper, jump: Jump) -> BaseDatabaseWrapper:
    """Try a jump on a state as it is; return the database that went the old way, at its end."""

    def copy() -> BaseDatabaseWrapper:
        return trial.workshop.create(copy_of=walk)

    pair = _Pair(old=copy(), new=copy(), third=copy)
    _compared(trial, pair, jump, Check.ROWS)
    return pair.old


def _seeded(trial: EngineTrial, walk: BaseDatabaseWrapper, jump: Jump) -> bool:
    """Try a jump on made-up rows: hostile ones; harmless ones where the old files fail on those.

    Returns whether it was tried: an empty database has no tables for rows.
    """
    if not comparable_rows.read(walk):
        return False
    for hostile in (True, False):
        try:
            _try_seeded(trial, walk, jump, hostile=hostile)
        except OldPathError as error:
            failure = error
        else:
            return True
    gap = f"{jump.segment} was not tried on made-up rows: the old files fail on them"
    trial.gaps[f"{gap}: {failure}"] = None
    _untried(trial, jump)
    return False


def _untried(trial: EngineTrial, jump: Jump) -> None:
    """Note that a file was not tried on rows of every table; from inside, Django takes the old."""
    if not jump.inside:
        trial.untried[jump.segment] = None


def _try_seeded(
    trial: EngineTrial, walk: BaseDatabaseWrapper, jump: Jump, *, hostile: bool
) -> None:
    empty: dict[str, None] = {}

    def seeded() -> BaseDatabaseWrapper:
        database = trial.workshop.create(copy_of=walk)
        state = state_at(trial.tree, trial.upgrades.chain[: jump.start])
        with in_place(database, trial.alias):
            wanted = dict.fromkeys(comparable_rows.read(database), SEEDS)
            filled = fill(database, state.apps, wanted, hostile=hostile)
        empty.update(dict.fromkeys(filled.gaps))
        return database

    old = seeded()
    trial.seeded_rows += comparable_rows.count(comparable_rows.read(old))
    pair = _Pair(old=old, new=trial.workshop.create(copy_of=old), third=seeded)
    _compared(trial, pair, jump, Check.SEEDED_ROWS)
    trial.workshop.drop(old)
    trial.gaps |= empty
    if empty:
        _untried(trial, jump)


def _compared(trial: EngineTrial, pair: _Pair, jump: Jump, check: Check) -> None:
    """Compare what both ways make of a state. The new way's database is spent."""
    try:
        trial.run_old(pair.old, jump.old)
    except OldPathError:
        trial.workshop.drop(pair.old)
        trial.workshop.drop(pair.new)
        raise
    trial.runs += 1
    if error := trial.run_new(pair.new, jump.new):
        trial.failed(error, jump, check)
    else:
        found = trial.compare(pair.old, pair.new, _again(trial, pair, jump.old), check)
        if jump.rest and not found.defects and not found.none:
            found = _to_the_end(trial, pair, jump, check) or found
        trial.take(found, jump, check)
    trial.workshop.drop(pair.new)


def _to_the_end(trial: EngineTrial, pair: _Pair, jump: Jump, check: Check) -> Found | None:
    """Compare at the end of the range: names and order may matter to what comes later."""
    last = trial.workshop.create(copy_of=pair.old)
    try:
        trial.run_old(last, trial.upgrades.chain[jump.end :])
        if error := trial.run_new(pair.new, jump.rest):
            trial.failed(error, jump, check)
            return None
        again = _again(trial, pair, trial.upgrades.chain[jump.start :])
        return trial.compare(last, pair.new, again, check)
    finally:
        trial.workshop.drop(last)


def _again(trial: EngineTrial, pair: _Pair, keys: tuple[Key, ...]) -> Callable[[], Rows]:
    """Return what goes the old way once more and reads the rows."""

    def again() -> Rows:
        third = pair.third()
        try:
            trial.run_old(third, keys)
            return comparable_rows.read(third)
        finally:
            trial.workshop.drop(third)

    return again
