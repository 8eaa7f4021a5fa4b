"""Makes the file that replaces a range of migrations; nothing is written yet."""

import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import file_of
from django_runbook.schema.squash.squash_plan import Segment
from django_runbook.schema.squash.write.elision import Place, elided
from django_runbook.schema.squash.write.operations import optimized
from django_runbook.schema.squash.write.rendering import FileWriter


def segment(
    loader: MigrationLoader,
    app_label: str,
    migrations: Sequence[Migration],
    name: str | None = None,
    *,
    elide: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
) -> Segment:
    """Return the file that replaces these migrations, whole.

    They are a range, and have the same ``atomic`` and the same base class. ``elide``: labels of
    ``elision.elidables`` to leave out. ``renamed``: migrations of this app that another segment
    replaces, with that one's name. The name begins with that of the first migration: so it comes
    after it in the alphabet, which is how Django finds ``__first__``. Raises ``MigrationsError``
    for what cannot be copied, and for a name that is taken.
    """
    first, last = migrations[0], migrations[-1]
    name = name or f"{first.name}_squashed_{last.name}"
    file = file_of(first).parent / f"{name}.py"
    if (app_label, name) in (loader.disk_migrations or {}) or file.exists():
        raise MigrationsError(f"{file} exists. Finish that squash, or delete it.")
    left_out = elided(migrations, elide)
    operations = remaining(migrations, left_out)
    merged = optimized(app_label, operations, before(loader, migrations))
    return Segment(
        app_label=app_label,
        name=name,
        names=tuple(migration.name for migration in migrations),
        file=file,
        text=formatted(FileWriter(loader, migrations, renamed or {}).text(merged), file),
        before=sum(len(migration.operations) for migration in migrations),
        after=len(merged),
        elided=tuple(left_out.values()),
    )


def remaining(migrations: Sequence[Migration], left_out: Collection[Place]) -> list[Operation]:
    """Return the operations of migrations without those in some places."""
    return [
        operation
        for migration in migrations
        for number, operation in enumerate(migration.operations)
        if (migration.name, number) not in left_out
    ]


def before(loader: MigrationLoader, migrations: Sequence[Migration]) -> ProjectState:
    """Return the state in which all is applied that the migrations need, and none of them."""
    own = {(migration.app_label, migration.name) for migration in migrations}
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for key in loader.graph.forwards_plan((migrations[-1].app_label, migrations[-1].name)):
        if key not in own:
            state = loader.graph.nodes[key].mutate_state(state, preserve=False)
    return state


def formatted(text: str, file: Path) -> str:
    """Return Python code as ruff formats it in that place; as it is where there is no ruff."""
    beside = Path(sys.executable).with_name("ruff")
    ruff = shutil.which("ruff") or (str(beside) if beside.is_file() else "")
    if not ruff:
        return text
    for command in (["check", "--select=I", "--fix", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(
            [ruff, *command, f"--stdin-filename={file}", "-"],
            input=text,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        text = done.stdout if done.returncode == 0 and done.stdout.strip() else text
    return text
