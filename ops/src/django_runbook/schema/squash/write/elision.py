"""Names the data migrations that may be left out, because their author said so."""

from collections.abc import Collection, Sequence

from django.db.migrations import RunPython
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation

#: A migration's name and the number of an operation in it.
Place = tuple[str, int]


def elidables(migrations: Sequence[Migration]) -> dict[Place, str]:
    """Return where operations are ``elidable``, each with its label, ``0003_fill: function``.

    Two with one label in a migration have their numbers behind it.
    """
    found: dict[Place, str] = {}
    for migration in migrations:
        own = [
            (number, f"{migration.name}: {_called(operation)}")
            for number, operation in enumerate(migration.operations)
            if operation.elidable
        ]
        labels = [label for _, label in own]
        for number, label in own:
            clash = labels.count(label) > 1
            found[migration.name, number] = f"{label} {number}" if clash else label
    return found


def elided(migrations: Sequence[Migration], wanted: Collection[str]) -> dict[Place, str]:
    """Return those among the labels that are these migrations' own."""
    return {place: label for place, label in elidables(migrations).items() if label in wanted}


def _called(operation: Operation) -> str:
    if isinstance(operation, RunPython):
        return str(getattr(operation.code, "__name__", "code"))
    return type(operation).__name__
