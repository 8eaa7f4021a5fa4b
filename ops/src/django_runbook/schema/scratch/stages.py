"""Scratch databases with exactly the parents of a migration applied, and no more.

What a migration's SQL is depends on the database that it meets: constraint names are looked up
there (Django's ticket 28339). On an empty database, and on one that is further, it is another.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

from django_runbook.schema.history.graph import Key, migration_at
from django_runbook.schema.scratch.databases import Workshop, in_place


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A migration, the state before it, and a database that is in that state.

    The database is shared with later stages: whoever writes does so in a transaction that is rolled
    back, or in a copy from ``workshop.create(copy_of=stage.connection)``.
    """

    migration: Migration
    state: ProjectState
    connection: BaseDatabaseWrapper
    workshop: Workshop


class Stages:
    """Walks a graph of migrations on scratch databases of one engine.

    ``unmigrated`` are the labels of apps without migrations, which others may point to
    (``MigrationLoader.unmigrated_apps``): their tables are not made.
    """

    def __init__(
        self,
        workshop: Workshop,
        graph: MigrationGraph,
        alias: str,
        unmigrated: Collection[str] = (),
    ) -> None:
        self._workshop = workshop
        self._graph = graph
        self._alias = alias
        self._unmigrated = set(unmigrated)
        self._applied: list[Key] = []
        self._connection: BaseDatabaseWrapper | None = None
        self._state = ProjectState()

    @contextmanager
    def before(self, key: Key) -> Iterator[Stage]:
        """Yield the stage at which exactly the parents of a migration are applied.

        While it lasts, the scratch database is what ``connections[alias]`` is. Cheapest in the
        order of applying: the database of the last stage serves again where it can.
        """
        connection = self._advance([node for node in self._graph.forwards_plan(key) if node != key])
        with in_place(connection, self._alias):
            yield Stage(
                migration=migration_at(self._graph, key),
                state=self._state.clone(),
                connection=connection,
                workshop=self._workshop,
            )

    def _advance(self, parents: list[Key]) -> BaseDatabaseWrapper:
        if self._connection is None or not set(self._applied) <= set(parents):
            if self._connection is not None:
                self._workshop.drop(self._connection)
            self._connection = self._workshop.create()
            self._applied, self._state = [], ProjectState(real_apps=self._unmigrated)
        with in_place(self._connection, self._alias):
            for key in parents:
                if key not in self._applied:
                    migration = migration_at(self._graph, key)
                    self._state = apply(migration, self._state, self._connection)
                    self._applied.append(key)
        return self._connection


def apply(
    migration: Migration, state: ProjectState, connection: BaseDatabaseWrapper
) -> ProjectState:
    """Apply a migration as Django does, and return the state after it. ``state`` is spent."""
    if "apps" not in state.__dict__:
        _ = state.apps  # rendered once, then kept up to date, as Django's executor does
    with connection.schema_editor(atomic=migration.atomic) as editor:
        return migration.apply(state, editor)


def unapply(
    migration: Migration, state: ProjectState, connection: BaseDatabaseWrapper
) -> ProjectState:
    """Undo a migration as Django does; ``state`` is the one before it, and is returned."""
    with connection.schema_editor(atomic=migration.atomic) as editor:
        return migration.unapply(state, editor)
