"""Runs both ways side by side at every jump: on the state as it is, and with made-up rows."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

from ops.schema.plans.rows.filling import fill
from ops.schema.scratch.databases import in_place
from ops.schema.squashing import rows
from ops.schema.squashing.bench import Bench, OldPathError
from ops.schema.squashing.comparing import Found
from ops.schema.squashing.paths import Key, state_at
from ops.schema.squashing.proofs import Check
from ops.schema.squashing.routes import Jump
from ops.schema.squashing.rows import Rows

#: Rows that are made up for each table.
SEEDS = 20


def jumps(bench: Bench) -> None:
    """Try every jump. One database goes the old way; copies of it go both.

    Raises ``OldPathError`` where the old migrations cannot be applied on this engine.
    """
    walk, done = bench.workshop.create(), 0
    for number, jump in enumerate(bench.routes.jumps):
        bench.progress(bench.workshop.vendor, "upgrades", number, len(bench.routes.jumps))
        if jump.start < done:
            bench.workshop.drop(walk)
            walk, done = bench.workshop.create(), 0
        bench.run_old(walk, bench.routes.chain[done : jump.start])
        done = jump.start
        if jump.inside:
            if not _seeded(bench, walk, jump):
                bench.workshop.drop(_plain(bench, walk, jump))
            continue
        before = len(bench.defects)
        there = _plain(bench, walk, jump)
        if len(bench.defects) == before:
            _seeded(bench, walk, jump)
        bench.workshop.drop(walk)
        walk, done = there, jump.end
    bench.workshop.drop(walk)


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two equal databases, one for each way, and what makes a third one."""

    old: BaseDatabaseWrapper
    new: BaseDatabaseWrapper
    third: Callable[[], BaseDatabaseWrapper]


def _plain(bench: Bench, walk: BaseDatabaseWrapper, jump: Jump) -> BaseDatabaseWrapper:
    """Try a jump on a state as it is; return the database that went the old way, at its end."""

    def copy() -> BaseDatabaseWrapper:
        return bench.workshop.create(copy_of=walk)

    pair = _Pair(old=copy(), new=copy(), third=copy)
    _compared(bench, pair, jump, Check.ROWS)
    return pair.old


def _seeded(bench: Bench, walk: BaseDatabaseWrapper, jump: Jump) -> bool:
    """Try a jump on made-up rows: hostile ones; harmless ones where the old files fail on those.

    Returns whether it was tried: an empty database has no tables for rows.
    """
    if not rows.read(walk):
        return False
    for hostile in (True, False):
        try:
            _try_seeded(bench, walk, jump, hostile=hostile)
        except OldPathError as error:
            failure = error
        else:
            return True
    gap = f"{jump.segment} was not tried on made-up rows: the old files fail on them"
    bench.gaps[f"{gap}: {failure}"] = None
    _untried(bench, jump)
    return False


def _untried(bench: Bench, jump: Jump) -> None:
    """Note that a file was not tried on rows of every table; from inside, Django takes the old."""
    if not jump.inside:
        bench.untried[jump.segment] = None


def _try_seeded(bench: Bench, walk: BaseDatabaseWrapper, jump: Jump, *, hostile: bool) -> None:
    empty: dict[str, None] = {}

    def seeded() -> BaseDatabaseWrapper:
        database = bench.workshop.create(copy_of=walk)
        state = state_at(bench.tree, bench.routes.chain[: jump.start])
        with in_place(database, bench.alias):
            wanted = dict.fromkeys(rows.read(database), SEEDS)
            filled = fill(database, state.apps, wanted, hostile=hostile)
        empty.update(dict.fromkeys(filled.gaps))
        return database

    old = seeded()
    bench.seeded_rows += rows.count(rows.read(old))
    pair = _Pair(old=old, new=bench.workshop.create(copy_of=old), third=seeded)
    _compared(bench, pair, jump, Check.SEEDED_ROWS)
    bench.workshop.drop(old)
    bench.gaps |= empty
    if empty:
        _untried(bench, jump)


def _compared(bench: Bench, pair: _Pair, jump: Jump, check: Check) -> None:
    """Compare what both ways make of a state. The new way's database is spent."""
    try:
        bench.run_old(pair.old, jump.old)
    except OldPathError:
        bench.workshop.drop(pair.old)
        bench.workshop.drop(pair.new)
        raise
    bench.runs += 1
    if error := bench.run_new(pair.new, jump.new):
        bench.failed(error, jump, check)
    else:
        found = bench.compare(pair.old, pair.new, _again(bench, pair, jump.old), check)
        if jump.rest and not found.defects and not found.none:
            found = _to_the_end(bench, pair, jump, check) or found
        bench.take(found, jump, check)
    bench.workshop.drop(pair.new)


def _to_the_end(bench: Bench, pair: _Pair, jump: Jump, check: Check) -> Found | None:
    """Compare at the end of the range: names and order may matter to what comes later."""
    last = bench.workshop.create(copy_of=pair.old)
    try:
        bench.run_old(last, bench.routes.chain[jump.end :])
        if error := bench.run_new(pair.new, jump.rest):
            bench.failed(error, jump, check)
            return None
        again = _again(bench, pair, bench.routes.chain[jump.start :])
        return bench.compare(last, pair.new, again, check)
    finally:
        bench.workshop.drop(last)


def _again(bench: Bench, pair: _Pair, keys: tuple[Key, ...]) -> Callable[[], Rows]:
    """Return what goes the old way once more and reads the rows."""

    def again() -> Rows:
        third = pair.third()
        try:
            bench.run_old(third, keys)
            return rows.read(third)
        finally:
            bench.workshop.drop(third)

    return again
