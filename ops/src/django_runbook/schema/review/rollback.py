"""Tries migrations forward, back and forward again, and compares what each way has built."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.migration import Migration
from django.db.migrations.operations import RunPython, RunSQL

from django_runbook.schema.errors import NoServerError
from django_runbook.schema.fingerprints.differences import Differences, compare
from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.history.failures import told
from django_runbook.schema.history.graph import Key, file_of, is_installed, loaded, migration_at
from django_runbook.schema.history.pending import Pending, chosen, pending
from django_runbook.schema.scratch.databases import Workshop, in_place, workshop
from django_runbook.schema.scratch.stages import Stage, Stages, apply, unapply

ENGINES = ("postgresql", "sqlite")


class Outcome(StrEnum):
    """How it ended. ``ELSEWHERE``: made for another engine, it does not go forward on this one."""

    SAME = "same"
    DIFFERS = "differs"
    IRREVERSIBLE = "irreversible"
    FAILED = "failed"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One migration on one engine; ``reasons`` say why it is irreversible, or what failed.

    In ``back``, left is the schema before the migration, right the one after going back; in
    ``again``, left is the one after the first time forward, right after the second.
    """

    migration: str
    vendor: str
    outcome: Outcome
    seconds: float
    reasons: tuple[str, ...] = ()
    back: Differences = Differences()
    again: Differences = Differences()

    @property
    def fails(self) -> bool:
        """Whether the migration cannot be undone."""
        return self.outcome not in {Outcome.SAME, Outcome.ELSEWHERE}


@dataclass(frozen=True, kw_only=True)
class RollbackCheck:
    """What was tried; ``notes`` are what the reader must know (no PostgreSQL, say)."""

    tried: tuple[Tried, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[str, ...]:
        """The migrations that cannot be undone, or went forward on no engine at all."""
        names = dict.fromkeys(each.migration for each in self.tried)
        fails = {each.migration for each in self.tried if each.fails}
        shown = {each.migration for each in self.tried if each.outcome is not Outcome.ELSEWHERE}
        return tuple(name for name in names if name in fails or name not in shown)


def selected(alias: str, app: str = "", since: str = "") -> Pending:
    """Return the migrations to try, in the order of applying.

    Those that are new since a commit; else all of an app; else those that the database has not
    applied, without the ones of installed packages. Raises ``MigrationsError``.
    """
    if since:
        from django_runbook.schema.history.new_in_git import (
            new_since,  # asks git, which nothing else here does
        )

        return chosen(new_since(since), app)
    if app:
        graph = loaded().graph
        plan = [key for leaf in graph.leaf_nodes(app) for key in graph.forwards_plan(leaf)]
        return chosen([key for key in dict.fromkeys(plan) if key[0] == app], app)
    found = pending(alias)
    files = {key: file_of(migration_at(found.graph, key)) for key in found.keys}
    own = tuple(key for key, file in files.items() if not is_installed(file))
    left = len(found.keys) - len(own)
    note = (f"{left} of installed packages are left out; name an app to try its own.",)
    return Pending(keys=own, graph=found.graph, notes=(*found.notes, *(note if left else ())))


def rollback_check(
    found: Pending,
    alias: str,
    engines: Sequence[str] = ENGINES,
    watch: Callable[[Tried], None] = lambda _tried: None,
) -> RollbackCheck:
    """Try each migration on scratch databases with exactly its parents applied.

    The tables are empty: what only rows bring out, it does not show. ``watch`` is called after
    each. An engine that is not to be had is noted; where none is, nothing is tried.
    """
    tried: list[Tried] = []
    notes = list(found.notes)
    target = connections[alias]
    if target.vendor not in ENGINES:
        notes.append(f"{target.display_name} is not tried: there are no fingerprints of it.")
    for vendor in engines if found.keys else ():
        try:
            with workshop(vendor, alias) as shop:
                stages = Stages(shop, found.graph, alias, found.unmigrated)
                for key in found.keys:
                    tried.append(_tried(stages, key, shop, alias, target.vendor))
                    watch(tried[-1])
        except NoServerError as error:
            notes.append(f"{error} Without it, this is no proof for PostgreSQL.")
    return RollbackCheck(tried=tuple(tried), notes=tuple(notes))


def _tried(stages: Stages, key: Key, shop: Workshop, alias: str, target: str) -> Tried:
    started = time.perf_counter()
    forward = Outcome.ELSEWHERE if target not in {shop.vendor, "sqlite"} else Outcome.FAILED
    back = again = Differences()
    try:
        with stages.before(key) as stage:
            outcome, reasons, back, again = _in_a_copy(stage, alias, forward)
    except Exception as error:  # noqa: BLE001  # a parent's own code may raise anything
        outcome, reasons = forward, (f"its parents: {told(error)}",)
    return Tried(
        migration=".".join(key),
        vendor=shop.vendor,
        outcome=outcome,
        seconds=time.perf_counter() - started,
        reasons=reasons,
        back=back,
        again=again,
    )


Result = tuple[Outcome, tuple[str, ...], Differences, Differences]


def _in_a_copy(stage: Stage, alias: str, forward: Outcome) -> Result:
    if reasons := tuple(_irreversible(stage.migration)):
        return Outcome.IRREVERSIBLE, reasons, Differences(), Differences()
    copy = stage.workshop.create(copy_of=stage.connection)
    try:
        with in_place(copy, alias):
            return _there_and_back(stage, copy, forward)
    finally:
        stage.workshop.drop(copy)


def _there_and_back(stage: Stage, copy: BaseDatabaseWrapper, forward: Outcome) -> Result:
    """Go forward, back and forward, and compare. The error of a step names it."""
    back = again = Differences()
    before = fingerprint(copy)
    step, outcome = "forward", forward
    try:
        apply(stage.migration, stage.state.clone(), copy)
        first = fingerprint(copy)
        step, outcome = "back", Outcome.FAILED
        unapply(stage.migration, stage.state.clone(), copy)
        back = compare(before, fingerprint(copy))
        step = "forward again"
        apply(stage.migration, stage.state.clone(), copy)
        again = compare(first, fingerprint(copy))
    except IrreversibleError as error:
        return Outcome.IRREVERSIBLE, (told(error),), back, again
    except Exception as error:  # noqa: BLE001  # a migration's own code may raise anything
        return outcome, (f"{step}: {told(error)}",), back, again
    same = not (back.logical or again.logical)
    return Outcome.SAME if same else Outcome.DIFFERS, (), back, again


def _irreversible(migration: Migration) -> Iterator[str]:
    """Yield each operation that cannot be undone, with what mends it."""
    for number, operation in enumerate(migration.operations, 1):
        if operation.reversible:
            continue
        mend = "let it be undone, or say in the migration why not"
        if isinstance(operation, RunPython):
            mend = "give it reverse_code; migrations.RunPython.noop where nothing is to be undone"
        elif isinstance(operation, RunSQL):
            mend = "give it reverse_sql; migrations.RunSQL.noop where nothing is to be undone"
        yield f"operation {number} ({operation.describe()}): {mend}"
