"""What is proved without a database: that each file round-trips, and that the states are equal."""

from collections.abc import Iterator

from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.exceptions import CircularDependencyError
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from django_runbook.schema.history.graph import Key
from django_runbook.schema.squash.proof.afterwards import LOADING
from django_runbook.schema.squash.proof.migration_paths import goal, state_at
from django_runbook.schema.squash.proof.results import Check, Defect
from django_runbook.schema.squash.squash_plan import SquashPlan
from django_runbook.schema.squash.write import staging
from django_runbook.schema.squash.write.roundtrip import operation_differences, state_differences


def round_trips(plan: SquashPlan) -> Iterator[Defect]:
    """Take every operation of each file apart, and put it together again."""
    for segment in plan.segments:
        operations = staging.staged(segment).operations
        rebuilt = []
        for operation in operations:
            _name, args, kwargs = operation.deconstruct()
            again = type(operation)(*args, **kwargs)
            vars(again)["elidable"] = operation.elidable  # RunPython and RunSQL leave it out
            rebuilt.append(again)
        for difference in operation_differences(operations, rebuilt):
            yield Defect(check=Check.ROUND_TRIP, what=difference, segment=segment.name)


def unloadable(plan: SquashPlan) -> Iterator[Defect]:
    """Yield the first file with which Django's graph breaks: by a circle between apps, say."""
    for number, segment in enumerate(plan.segments, 1):
        try:
            staging.loader(plan.segments[:number])
        except LOADING as error:
            what = str(error)
            if isinstance(error, CircularDependencyError):  # it begins anywhere
                what = f"a circle of {', '.join(sorted(what.split(', ')))}"
            yield Defect(check=Check.UPGRADE, what=what, segment=segment.name)


def states(
    plan: SquashPlan, end: Key, old: MigrationLoader, new: MigrationLoader
) -> Iterator[Defect]:
    """Compare the states after each segment, and what the autodetector makes of those at the end.

    A difference is told once: later segments have it too.
    """
    told: set[str] = set()
    for segment in plan.segments:
        before, after = _both((plan.app_label, segment.names[-1]), old, new)
        for difference in state_differences(before, after):
            if difference not in told:
                yield Defect(check=Check.STATE, what=difference, segment=segment.name)
            told.add(difference)
    before, after = _both(end, old, new)
    for ours, theirs in ((after, before), (before, after)):
        changes = MigrationAutodetector(ours, theirs).changes(graph=new.graph)
        for migration in changes.get(plan.app_label, []):
            for operation in migration.operations:
                yield Defect(check=Check.AUTODETECTOR, what=operation.describe())


def _both(
    key: Key, old: MigrationLoader, new: MigrationLoader
) -> tuple[ProjectState, ProjectState]:
    """Return the states with exactly what a migration needs, and itself."""
    return (
        state_at(old, old.graph.forwards_plan(key)),
        state_at(new, new.graph.forwards_plan(goal(new, key))),
    )
