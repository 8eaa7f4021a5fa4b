"""What a database meets once the old files are gone: nothing to do, work, an error, or silence."""

from collections.abc import Collection, Iterable
from enum import StrEnum

from django.db.migrations.exceptions import (
    CircularDependencyError,
    InconsistentMigrationHistory,
    NodeNotFoundError,
)
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.history.graph import Key
from django_runbook.schema.squash.squash_plan import Segment

LOADING = (CircularDependencyError, InconsistentMigrationHistory, NodeNotFoundError)


class Outcome(StrEnum):
    """What ``migrate`` does to a database with the squashed files alone."""

    NOTHING = "nothing to do"
    WORK = "applies what is not applied"
    AGAIN = "makes again what is there"
    SILENT = "shows no migrations, and leaves the schema as it is"
    BROKEN = "stops with an error"

    @property
    def safe(self) -> bool:
        """Whether the database ends with the schema that the files build."""
        return self in {Outcome.NOTHING, Outcome.WORK}


def outcome(
    loader: MigrationLoader, segments: Iterable[Segment], applied: Collection[Key]
) -> Outcome:
    """Return what happens to a database where ``applied`` is recorded.

    ``loader`` sees the files that there will be, and that database. Silence comes from a file that
    still says ``replaces``, while the replaced ones are gone and only some of them are applied:
    Django takes it out of its graph, and the app has no migrations.
    """
    for segment in segments:
        key = (segment.app_label, segment.name)
        begun = any((segment.app_label, name) in applied for name in segment.names)
        if key not in loader.graph.nodes:
            return Outcome.SILENT if key in loader.disk_migrations else Outcome.BROKEN
        if begun and key not in loader.applied_migrations:
            return Outcome.AGAIN
    if loader.connection is not None:
        try:
            loader.check_consistent_history(loader.connection)
        except InconsistentMigrationHistory:
            return Outcome.BROKEN
    apps = {segment.app_label for segment in segments}
    left = (key for key in loader.graph.nodes if key not in loader.applied_migrations)
    return Outcome.WORK if any(app in apps for app, _name in left) else Outcome.NOTHING
