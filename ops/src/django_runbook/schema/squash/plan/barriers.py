"""Finds which migrations of a range cannot be in one file, before any is written."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import file_of, is_installed
from django_runbook.schema.squash.plan.ddl import Step
from django_runbook.schema.squash.plan.deferred_sql import DeferredSql
from django_runbook.schema.squash.plan.partition import Barrier
from django_runbook.schema.squash.source.module import Source, read
from django_runbook.schema.squash.write.compatibility import difference, kind
from django_runbook.schema.squash.write.elision import elided
from django_runbook.schema.squash.write.operations import is_written
from django_runbook.schema.squash.write.rendering import FileWriter

Chain = Sequence[Migration]


def barriers(
    loader: MigrationLoader, chain: Chain, elide: Collection[str] = (), cuts: Collection[str] = ()
) -> tuple[Barrier, ...]:
    """Return all that keeps migrations of a range out of one file, each with its reason."""
    sources = {migration.name: read(type(migration).__module__) for migration in chain}
    return (
        *_wanted(chain, cuts),
        *_kinds(chain, sources),
        *_named(loader, chain),
        *_uncopied(loader, chain),
        *cycles(loader, chain),
        *_traps(loader, chain, sources, elide),
    )


def cycles(loader: MigrationLoader, chain: Chain) -> Iterator[Barrier]:
    """Yield where another migration stands between two of the range, in the graph.

    It needs the first (or is to run before the second, by ``run_before``): one file would be before
    and after it.
    """
    graph = loader.graph
    numbers = {(one.app_label, one.name): number for number, one in enumerate(chain)}
    above: dict[tuple[str, str], tuple[int, ...]] = {}
    for key in graph.forwards_plan((chain[-1].app_label, chain[-1].name)):
        parents = [parent.key for parent in graph.node_map[key].parents]
        between = [
            (max(above[parent]), parent)
            for parent in parents
            if parent not in numbers and above[parent]
        ]
        if key in numbers:
            above[key] = (numbers[key],)
            for high, other in between:
                yield Barrier(
                    low=0,
                    high=high,
                    end=numbers[key],
                    reason=f"needs {'.'.join(other)}, which needs {chain[high].name}",
                    fix="It begins a file of its own, or no cycle could be avoided.",
                )
        else:
            found = [number for parent in parents for number in above[parent]]
            above[key] = (max(found),) if found else ()


def steps(
    chain: Chain, sources: Mapping[str, Source], elide: Collection[str] = ()
) -> Iterator[tuple[Migration, Step]]:
    """Yield the operations that stay, numbered by migration and by run between barriers."""
    run = 0
    left_out = elided(chain, elide)
    for number, migration in enumerate(chain):
        for place, operation in enumerate(migration.operations):
            if (migration.name, place) in left_out:
                continue
            barrier = is_barrier(operation)
            run += barrier
            yield (
                migration,
                Step(
                    number=number,
                    run=run,
                    operation=operation,
                    source=sources[migration.name],
                    atomic=migration.atomic,
                ),
            )
            run += barrier


def is_barrier(operation: Operation) -> bool:
    """Tell whether the optimizer moves nothing past an operation."""
    return is_written(operation) or type(operation).reduce is Operation.reduce


def _wanted(chain: Chain, cuts: Collection[str]) -> Iterator[Barrier]:
    names = [migration.name for migration in chain]
    for name in sorted(cuts):
        if name not in names:
            raise MigrationsError(
                f"There is no {name} in the range: name one of {', '.join(names)}."
            )
        end = names.index(name)
        yield Barrier(low=0, high=end - 1, end=end, reason="begins a file, as asked")


def _kinds(chain: Chain, sources: Mapping[str, Source]) -> Iterator[Barrier]:
    kinds = [kind(migration, sources[migration.name]) for migration in chain]
    for end in range(1, len(chain)):
        why = difference(kinds[end - 1], kinds[end])
        if why:
            yield Barrier(low=0, high=end - 1, end=end, reason=why)


def _named(loader: MigrationLoader, chain: Chain) -> Iterator[Barrier]:
    """Yield those that an installed package names: its file cannot be made to name another."""
    names = {(one.app_label, one.name): number for number, one in enumerate(chain)}
    for key, other in sorted((loader.disk_migrations or {}).items()):
        for found in {*other.dependencies, *other.run_before} & {*names}:
            if key[0] != found[0] and is_installed(file_of(other)):
                yield from alone(names[found], f"is named by {'.'.join(key)}, an installed package")


def _uncopied(loader: MigrationLoader, chain: Chain) -> Iterator[Barrier]:
    """Yield those whose code cannot be copied, or names another file of the range."""
    for number, migration in enumerate(chain):
        try:
            FileWriter(loader, [migration], {}, replaced=chain).text(migration.operations)
        except MigrationsError as error:
            reason, _, fix = str(error).partition(". ")
            yield from alone(number, f"cannot be copied: {reason}", fix)


def alone(number: int, reason: str, fix: str = "") -> Iterator[Barrier]:
    """Yield what keeps one out of every file of several."""
    yield Barrier(low=0, high=number - 1, end=number, reason=reason, fix=fix)
    yield Barrier(low=number, high=number, end=number + 1, reason=f"comes after one that {reason}")


def _traps(
    loader: MigrationLoader,
    chain: Chain,
    sources: Mapping[str, Source],
    elide: Collection[str],
) -> Iterator[Barrier]:
    """Yield what Django's deferred SQL and PostgreSQL's triggers forbid."""
    graph = loader.graph
    by_name: dict[str, list[Step]] = {}
    for migration, step in steps(chain, sources, elide):
        by_name.setdefault(migration.name, []).append(step)
    own = {(migration.app_label, migration.name) for migration in chain}
    walk = DeferredSql(chain[0].app_label, ProjectState(real_apps=loader.unmigrated_apps))
    for key in graph.forwards_plan((chain[-1].app_label, chain[-1].name)):
        if key in own:
            for step in by_name.get(key[1], ()):
                walk.step(step)
        else:
            graph.nodes[key].mutate_state(walk.state, preserve=False)
            walk.outside()
    yield from walk.barriers


def in_one(
    chain: Chain, merged: Sequence[Operation], sources: Mapping[str, Source], state: ProjectState
) -> str:
    """Return why the merged operations of migrations would go wrong in one file, if they would.

    What the optimizer could not merge may meet what is deferred. Two operations that stood in one
    file before may stay in one.
    """
    origins = {id(one): migration for migration in chain for one in migration.operations}
    walk = DeferredSql(chain[0].app_label, state)
    for number, operation in enumerate(merged):
        migration = origins.get(id(operation), chain[0])
        walk.step(
            Step(
                number=number,
                run=number,
                operation=operation,
                source=sources[migration.name],
                atomic=chain[0].atomic,
            )
        )
    for barrier in walk.barriers:
        one, other = (origins.get(id(merged[number])) for number in (barrier.high, barrier.end))
        if barrier.low == 0 and (one is None or one != other):
            return barrier.reason
    return ""
