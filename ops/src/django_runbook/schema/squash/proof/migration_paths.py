"""The ways to a schema: the old migrations one by one, and the squashed ones, on scratch databases.

Everything is run by Django's own executor, with a loader that knows which files there are. No
signal is sent: what content types and permissions a migration makes is seen by itself.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from django_runbook.schema.fingerprints.fingerprint import Fingerprint
from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.history.graph import Key
from django_runbook.schema.scratch.databases import in_place
from django_runbook.schema.squash.proof import comparable_rows
from django_runbook.schema.squash.proof.comparable_rows import Rows
from django_runbook.schema.squash.squash_plan import Segment, SquashPlan
from django_runbook.schema.squash.write import staging


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a database is at one moment: its schema and all of its rows."""

    schema: Fingerprint
    rows: Rows


class OldLoader(MigrationLoader):
    """Loads the tree's migrations without the squashed files, should they be there already."""

    def __init__(
        self, segments: Sequence[Segment], connection: BaseDatabaseWrapper | None = None
    ) -> None:
        self._left_out = {(segment.app_label, segment.name) for segment in segments}
        super().__init__(connection)

    def load_disk(self) -> None:
        """Load what is on the disk, and forget the squashed files."""
        super().load_disk()
        for key in self._left_out:
            self.disk_migrations.pop(key, None)


class Executor(MigrationExecutor):
    """Django's executor with a loader of ours."""

    def __init__(self, connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
        self.connection = connection
        self.loader = loader
        self.recorder = MigrationRecorder(connection)
        self.progress_callback = None


class Path:
    """One of the two ways: ``squashed``, or with the old files alone. Files are read once."""

    def __init__(self, plan: SquashPlan, alias: str, *, squashed: bool) -> None:
        self.alias = alias
        self.squashed = squashed
        segments = plan.segments
        self._read = staging.loader(segments) if squashed else OldLoader(segments)

    def loader(self, connection: BaseDatabaseWrapper | None = None) -> MigrationLoader:
        """Return what knows the files of this way, and what is applied there."""
        return refreshed(self._read, connection)

    def run(self, connection: BaseDatabaseWrapper, keys: Iterable[Key] | None = None) -> float:
        """Apply these migrations, or all that are not applied; return the seconds that it took."""
        return run(connection, self.alias, self.loader, keys)


def refreshed(loader: MigrationLoader, connection: BaseDatabaseWrapper | None) -> MigrationLoader:
    """Return a loader with the same files, and what is applied in this database now."""
    twin = copy(loader)
    twin.connection = connection
    twin.load_disk = lambda: None  # type: ignore[method-assign]  # the files are read already
    twin.build_graph()
    return twin


def run(
    connection: BaseDatabaseWrapper,
    alias: str,
    loader_for: Callable[[BaseDatabaseWrapper], MigrationLoader],
    keys: Iterable[Key] | None = None,
) -> float:
    """Apply migrations as ``migrate`` does, and return the seconds that applying took."""
    with in_place(connection, alias):
        executor = Executor(connection, loader_for(connection))
        nodes = executor.loader.graph.nodes
        plan = None if keys is None else [(nodes[key], False) for key in keys]
        begin = time.perf_counter()
        executor.migrate(executor.loader.graph.leaf_nodes(), plan=plan)
        return time.perf_counter() - begin


def mark(connection: BaseDatabaseWrapper) -> Mark:
    """Return what a database is now."""
    return Mark(schema=fingerprint(connection), rows=comparable_rows.read(connection))


def chain(graph: MigrationGraph, app_label: str, names: Iterable[str]) -> tuple[Key, ...]:
    """Return the migrations of a range with all that they need, each with no more than that."""
    found: dict[Key, None] = {}
    for name in names:
        found.update(dict.fromkeys(graph.forwards_plan((app_label, name))))
    return tuple(found)


def names(plan: SquashPlan, graph: MigrationGraph) -> tuple[str, ...]:
    """Return the range's migrations in their order."""
    wanted = {*plan.kept, *(name for segment in plan.segments for name in segment.names)}
    found: dict[Key, None] = {}
    for leaf in graph.leaf_nodes(plan.app_label):
        found.update(dict.fromkeys(graph.forwards_plan(leaf)))
    return tuple(name for app, name in found if app == plan.app_label and name in wanted)


def goal(loader: MigrationLoader, key: Key) -> Key:
    """Return the migration with which this one is applied: itself, or what replaces it."""
    if key in loader.graph.nodes:
        return key
    found = (new for new, migration in loader.replacements.items() if key in migration.replaces)
    return next((new for new in found if new in loader.graph.nodes), key)


def state_at(loader: MigrationLoader, applied: Iterable[Key]) -> ProjectState:
    """Return the state that Django takes a database with these migrations to be in."""
    state = ProjectState(real_apps=loader.unmigrated_apps)
    done = set(applied)
    found: dict[Key, None] = {}
    for leaf in loader.graph.leaf_nodes():
        found.update(dict.fromkeys(loader.graph.forwards_plan(leaf)))
    for key in found:
        if key in done:
            state = loader.graph.nodes[key].mutate_state(state, preserve=False)
    return state
