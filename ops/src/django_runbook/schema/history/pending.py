"""Which migrations a plan is about. Reads the target, and writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connections
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.database.target import absent
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import Key, loaded, require_linear


@dataclass(frozen=True, kw_only=True)
class Pending:
    """The migrations in the order of applying, and the graph in which they stand.

    ``unmigrated`` are the labels of apps without migrations, which theirs may point to.
    """

    keys: tuple[Key, ...]
    graph: MigrationGraph
    unmigrated: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def pending(alias: str, app: str = "") -> Pending:
    """Return what ``migrate`` would apply to the target, or what it would for one app.

    An SQLite file that does not exist is not made. Raises ``MigrationsError``.
    """
    connection = None if absent(alias) else connections[alias]
    loader = loaded(connection)
    _check(loader, app)
    if connection is not None:
        try:
            loader.check_consistent_history(connection)
        except InconsistentMigrationHistory as error:
            raise MigrationsError(f"{error} 'inv db.show' lists what is recorded.") from error
    applied = set(loader.applied_migrations or ())
    return Pending(
        keys=tuple(key for key in _in_order(loader, app) if key not in applied),
        graph=loader.graph,
        unmigrated=frozenset(loader.unmigrated_apps or ()),
    )


def chosen(keys: Sequence[Key], app: str = "") -> Pending:
    """Return these migrations, as a new database meets them.

    One that another migration replaces cannot be: a note says so. Raises ``MigrationsError``.
    """
    loader = loaded()
    _check(loader, app)
    wanted = [key for key in keys if not app or key[0] == app]
    notes = [
        f"{'.'.join(key)} is replaced by {'.'.join(other)}, which is shown instead of it where it "
        f"is new."
        for key in wanted
        for other, migration in loader.graph.nodes.items()
        if key not in loader.graph.nodes and key in map(tuple, migration.replaces)
    ]
    return Pending(
        keys=tuple(key for key in wanted if key in loader.graph.nodes),
        graph=loader.graph,
        unmigrated=frozenset(loader.unmigrated_apps or ()),
        notes=tuple(notes),
    )


def _check(loader: MigrationLoader, app: str) -> None:
    require_linear(loader, [app] if app else ())
    if app and app not in loader.migrated_apps:
        raise MigrationsError(f"{app} has no migrations. Run 'inv db.make {app}'.")


def _in_order(loader: MigrationLoader, app: str) -> dict[Key, None]:
    leaves = loader.graph.leaf_nodes(app or None)
    return dict.fromkeys(node for leaf in leaves for node in loader.graph.forwards_plan(leaf))
