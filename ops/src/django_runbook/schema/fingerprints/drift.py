"""Compares a live database with what its applied migrations build."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from django_runbook.schema.database.target import absent
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.fingerprints.differences import Difference, Differences, compare
from django_runbook.schema.fingerprints.fingerprint import Fingerprint
from django_runbook.schema.fingerprints.reading import fingerprint, require_readable
from django_runbook.schema.history.failures import told
from django_runbook.schema.history.graph import loaded, require_linear
from django_runbook.schema.scratch.databases import Workshop, in_place, workshop
from django_runbook.schema.scratch.stages import apply

LACKS = "Where its server lacks something, set RUNBOOK_SCRATCH_DATABASE_URL to one that has it."


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How a live database differs from what its applied migrations build.

    In ``differences``, left is the live database and right what the migrations build.
    ``unmanaged`` are tables that no migration makes and no model of the project names;
    ``declared`` those that a model names which is not managed, or whose app has no migrations.
    ``applied`` counts the migrations that were built; ``notes`` are what the reader must know.
    """

    alias: str
    vendor: str
    database: str
    origin: str
    applied: int
    differences: Differences
    unmanaged: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    ignored: int = 0
    notes: tuple[str, ...] = ()

    def fails(self, *, strict: bool = False) -> bool:
        """Tell whether it is drift; ``strict`` counts names and the order of columns as well."""
        only_shown = (*self.differences.names, *self.differences.order)
        return bool(self.differences.logical or self.unmanaged or (strict and only_shown))


def drift(alias: str = DEFAULT_DB_ALIAS, ignore: Iterable[str] = ()) -> Drift:
    """Return how the live database differs from what its applied migrations build.

    The live one is read in a transaction that cannot write; the migrations run on a scratch
    database of the same engine, under the same alias, so that routers decide as they do there.
    Signals are not sent: what a ``post_migrate`` receiver makes in the schema is a difference.
    ``ignore`` has patterns of shells for tables, and for names of what belongs to no table.

    Raises ``MigrationsError`` for migrations that do not build, or an engine that cannot be read,
    and ``NoServerError`` where there is no PostgreSQL to build on.
    """
    live = connections[alias]
    require_readable(live)
    if absent(alias):
        raise MigrationsError(
            f"The database {live.settings_dict['NAME']} does not exist. Run 'inv db.migrate' first."
        )
    loader = _loader(live)
    plan = _applied(loader)
    with workshop(live.vendor, alias) as shop:
        built = _built(shop, alias, loader, plan)
        origin, version = shop.origin, shop.version
    with _reading(live):
        found = fingerprint(live, like=built)
        live_version = ".".join(map(str, live.get_database_version()))
    kept, ignored = _without(compare(found, built), tuple(ignore))
    unmanaged, declared, kept = _tables(kept)
    return Drift(
        alias=alias,
        vendor=live.vendor,
        database=str(live.settings_dict["NAME"]),
        origin=origin,
        applied=len(plan),
        differences=kept,
        unmanaged=unmanaged,
        declared=declared,
        ignored=ignored,
        notes=tuple(_notes(loader, live_version, version)),
    )


def _loader(live: BaseDatabaseWrapper) -> MigrationLoader:
    loader = loaded(live)
    require_linear(loader)
    try:
        loader.check_consistent_history(live)
    except InconsistentMigrationHistory as error:
        raise MigrationsError(f"{error} 'inv db.show' lists what is recorded.") from error
    return loader


def _applied(loader: MigrationLoader) -> list[tuple[str, str]]:
    """Return what is applied, in the order of applying."""
    plan = [key for leaf in loader.graph.leaf_nodes() for key in loader.graph.forwards_plan(leaf)]
    return [key for key in dict.fromkeys(plan) if key in loader.applied_migrations]


def _built(
    shop: Workshop, alias: str, loader: MigrationLoader, plan: Iterable[tuple[str, str]]
) -> Fingerprint:
    state = ProjectState(real_apps=loader.unmigrated_apps)
    made = shop.create()
    with in_place(made, alias):
        for key in plan:
            migration = loader.graph.nodes[key]
            try:
                state = apply(migration, state, made)
            except Exception as error:
                hint = f" {LACKS}" if isinstance(error, DatabaseError) else ""
                raise MigrationsError(
                    f"The migrations do not build on a scratch database ({shop.origin}): "
                    f"{told(error)}.{hint}"
                ) from error
        return fingerprint(made)


@contextmanager
def _reading(live: BaseDatabaseWrapper) -> Iterator[None]:
    """Let the live database be read in one transaction that cannot write."""
    if live.vendor == "sqlite":
        with live.cursor() as cursor:
            cursor.execute("PRAGMA query_only = ON")
            try:
                yield
            finally:
                cursor.execute("PRAGMA query_only = OFF")
        return
    with transaction.atomic(live.alias), live.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _without(found: Differences, patterns: tuple[str, ...]) -> tuple[Differences, int]:
    """Return the differences that no pattern ignores, and how many one does."""

    def kept(differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
        return tuple(each for each in differences if not ignored(each))

    def ignored(each: Difference) -> bool:
        return any(fnmatchcase(each.table or each.name, pattern) for pattern in patterns)

    left = Differences(
        logical=kept(found.logical), names=kept(found.names), order=kept(found.order)
    )
    return left, found.count - left.count


def _tables(found: Differences) -> tuple[tuple[str, ...], tuple[str, ...], Differences]:
    """Return the tables that are there alone: nobody's and declared ones; and what else differs."""
    alone = {each.table for each in found.logical if each.kind == "table" and each.right is None}
    named = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    logical = tuple(each for each in found.logical if each.table not in alone)
    return (
        tuple(sorted(alone - named)),
        tuple(sorted(alone & named)),
        Differences(logical=logical, names=found.names, order=found.order),
    )


def _notes(loader: MigrationLoader, live: str, built: str) -> Iterator[str]:
    """Yield what the reader must know to judge the differences."""
    known = {*loader.disk_migrations, *loader.graph.nodes}
    for key in loader.disk_migrations:
        known |= set(loader.disk_migrations[key].replaces)
    lost = sorted(f"{app}.{name}" for app, name in set(loader.applied_migrations) - known)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        yield (
            f"{lost[0]}{more} recorded as applied, but no file is there: what it made is shown as "
            f"drift. Check out the code that has it, or run 'migrate --prune'."
        )
    if live.partition(".")[0] != built.partition(".")[0]:
        yield (
            f"The database is version {live}, the scratch server {built}: they may spell one "
            f"thing differently. Set RUNBOOK_SCRATCH_DATABASE_URL to a server of the same version."
        )
