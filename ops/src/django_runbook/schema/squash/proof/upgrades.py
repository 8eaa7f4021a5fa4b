"""From every state in mid-chain: what Django would run, and where two ways are one and the same.

That takes no schema, only the record of what is applied. A plan that begins with the next old
migration and goes on as the plan of the next state does runs the same code on the same database as
that one: it need not be run again. What is left are the jumps: the places where Django leaves the
old files for a squashed one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.history.graph import Key
from django_runbook.schema.scratch.databases import in_place, workshop
from django_runbook.schema.squash.proof.afterwards import LOADING, Outcome, outcome
from django_runbook.schema.squash.proof.migration_paths import (
    Executor,
    Path,
    chain,
    goal,
    names,
    refreshed,
)
from django_runbook.schema.squash.proof.results import Check, Defect
from django_runbook.schema.squash.squash_plan import SquashPlan
from django_runbook.schema.squash.write import staging

DATA = (migrations.RunPython, migrations.RunSQL)


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A state from which squashed files are run, and the first one after it that both ways share.

    ``start`` and ``end`` are positions in the chain; ``rest`` is what follows the end. ``inside``
    is one from the middle of a segment, where Django goes on with the old files first.
    """

    start: int
    end: int
    old: tuple[Key, ...]
    new: tuple[Key, ...]
    rest: tuple[Key, ...]
    segment: str
    inside: bool = False


@dataclass(frozen=True, kw_only=True)
class Upgrades:
    """The old chain, what is run instead of it from zero, and the jumps.

    ``states`` is their number; ``refused`` names those in which no database may be when the old
    files go.
    """

    chain: tuple[Key, ...]
    squashed: tuple[Key, ...]
    jumps: tuple[Jump, ...]
    states: int
    refused: tuple[str, ...]
    defects: tuple[Defect, ...]


def upgrades(plan: SquashPlan, alias: str) -> Upgrades:
    """Return every way from a state in mid-chain to the end of the range."""
    return _Survey(plan, alias).made()


class _Survey:
    """Asks Django for its plan at each state. ``states`` are positions: so many are applied."""

    def __init__(self, plan: SquashPlan, alias: str) -> None:
        self._plan = plan
        self._alias = alias
        self._old = Path(plan, alias, squashed=False)
        self._new = Path(plan, alias, squashed=True)
        self._alone: MigrationLoader | None = None
        graph = self._old.loader().graph
        self._names = names(plan, graph)
        self._chain = chain(graph, plan.app_label, self._names)
        self._files = {(plan.app_label, segment.name): segment for segment in plan.segments}
        self._plans: dict[int, tuple[Key, ...]] = {}
        self._refused: dict[str, None] = {}
        self._defects: list[Defect] = []

    def made(self) -> Upgrades:
        """Return what was found, state by state."""
        first = self._chain.index((self._plan.app_label, self._names[0]))
        zero = self._todo(self._new.loader())
        with (
            workshop("sqlite", self._alias) as shop,
            in_place(shop.create(), self._alias) as database,
        ):
            self._walk(database, first)
        return Upgrades(
            chain=self._chain,
            squashed=zero,
            jumps=(*self._jumps(first), *self._inside()),
            states=len(self._chain) + 1 - first,
            refused=tuple(self._refused),
            defects=tuple(self._defects),
        )

    def _walk(self, database: BaseDatabaseWrapper, first: int) -> None:
        """Record one migration after the other, as Django does, and look from ``first`` on."""
        old = Executor(database, self._old.loader())
        old.recorder.ensure_schema()
        for position in range(len(self._chain) + 1):
            if position >= first:
                self._look(Executor(database, old.loader), position)
            if position < len(self._chain):
                migration = old.loader.graph.nodes[self._chain[position]]
                for key in migration.replaces or [self._chain[position]]:
                    old.recorder.record_applied(*key)
                old.check_replacements()

    def _look(self, executor: Executor, position: int) -> None:
        """Take down the plan of a state, and what becomes of it without the old files."""
        database = executor.connection
        try:
            executor.loader = self._new.loader(database)
            executor.loader.check_consistent_history(database)
            self._plans[position] = self._todo(executor.loader)
        except LOADING as error:
            self._wrong(Check.UPGRADE, position, str(error))
            return
        applied = set(executor.recorder.applied_migrations())
        if not self._without_old_files(database)[0].safe:
            self._refused[self._at(position)] = None
        executor.check_replacements()
        self._look_later(executor, position)
        for key in set(executor.recorder.applied_migrations()) - applied:
            executor.recorder.record_unapplied(*key)

    def _look_later(self, executor: Executor, position: int) -> None:
        """See that a database that recorded every squash it has begun goes on without old files."""
        applied = set(self._chain[:position])
        begun = self._begun(applied)
        if not begun or any(keys - applied for keys in begun):
            return
        later, todo = self._without_old_files(executor.connection)
        if not later.safe:
            self._wrong(Check.TRANSITION, position, f"a database that recorded the squash {later}")
        elif todo and position == len(self._chain):
            left = ", ".join(".".join(key) for key in todo)
            self._wrong(
                Check.TRANSITION, position, f"a database that recorded the squash applies {left}"
            )

    def _begun(self, applied: set[Key]) -> list[set[Key]]:
        """Return what each segment replaces, of which something is applied."""
        replaced = [self._replaced(key) for key in self._files]
        return [keys for keys in replaced if keys & applied]

    def _without_old_files(self, database: BaseDatabaseWrapper) -> tuple[Outcome, tuple[Key, ...]]:
        applied = MigrationRecorder(database).applied_migrations()
        try:
            self._alone = self._alone or staging.loader(self._plan.segments, alone=True)
            loader = refreshed(self._alone, database)
            found = outcome(loader, self._plan.segments, applied)
            return found, self._todo(loader)
        except LOADING:
            return Outcome.BROKEN, ()

    def _todo(self, loader: MigrationLoader) -> tuple[Key, ...]:
        end = goal(loader, self._chain[-1])
        if end not in loader.graph.nodes:  # without the old files, and without ``replaces``
            end = next(key for key in self._files if end in self._replaced(key))
        return tuple(
            key for key in loader.graph.forwards_plan(end) if key not in loader.applied_migrations
        )

    def _jumps(self, first: int) -> Iterator[Jump]:
        for position in range(first, len(self._chain)):
            todo, after = self._plans.get(position), self._plans.get(position + 1)
            if todo is not None and todo != (self._chain[position], *(after or ())):
                if jump := self._meeting(position, position + 1):
                    yield jump
                else:
                    done = set(self._chain[:position]).union(*map(self._replaced, todo))
                    left = ", ".join(".".join(key) for key in self._chain if key not in done)
                    what = f"Django leaves out {left or 'nothing, but goes on'}"
                    self._wrong(Check.UPGRADE, position, what)

    def _inside(self) -> Iterator[Jump]:
        """Yield a start before the data migration in each segment; else one halfway in the longest.

        It goes to the segment's end, where another state's plan goes on. Up to there Django takes
        the old files: that is tried for real all the same.
        """
        disk = self._old.loader().disk_migrations or {}
        places: dict[str, str] = {}
        for segment in self._plan.segments:
            for name in segment.names[1:]:
                operations = disk[segment.app_label, name].operations
                if any(isinstance(operation, DATA) for operation in operations):
                    places.setdefault(segment.name, name)
        if not places:
            longest = max(self._plan.segments, key=lambda segment: len(segment.names))
            places[longest.name] = longest.names[len(longest.names) // 2]
        for (app, squash), segment in self._files.items():
            if squash in places:
                start = self._chain.index((app, places[squash]))
                end = self._chain.index((app, segment.names[-1])) + 1
                if jump := self._meeting(start, end):
                    yield replace(jump, rest=(), segment=squash, inside=True)

    def _meeting(self, start: int, least: int) -> Jump | None:
        """Return the way to the first state, from ``least`` on, whose own plan is what is left."""
        todo = self._plans.get(start, ())
        done = set(self._chain[:start])
        for index, key in enumerate(todo, 1):
            done |= self._replaced(key)
            end = len(done)
            if (
                end >= least
                and done == set(self._chain[:end])
                and todo[index:] == self._plans.get(end)
            ):
                files = [key[1] for key in todo[:index] if key in self._files]
                return Jump(
                    start=start,
                    end=end,
                    old=self._chain[start:end],
                    new=todo[:index],
                    rest=todo[index:],
                    segment=files[0] if files else "",
                )
        return None

    def _replaced(self, key: Key) -> set[Key]:
        segment = self._files.get(key)
        return {(key[0], name) for name in segment.names} if segment else {key}

    def _wrong(self, check: Check, position: int, what: str) -> None:
        self._defects.append(Defect(check=check, what=what, at=self._at(position)))

    def _at(self, position: int) -> str:
        """Return the name of a state: the last migration of the range that is applied."""
        done = [key for key in self._chain[:position] if key[0] == self._plan.app_label]
        inside = [name for _app, name in done if name in self._names]
        return f"{self._plan.app_label}.{inside[-1]}" if inside else "before the range"
