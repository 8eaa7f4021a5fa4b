"""Writes a proved squash into the tree, together with its proof, and finds proofs there."""

from importlib import import_module
from pathlib import Path

from django.apps import apps
from django.db.migrations.loader import MigrationLoader

from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.history.graph import is_installed
from django_runbook.schema.squash.proof.results import FOLDER, Proof, file_of, text_of
from django_runbook.schema.squash.squash_plan import SquashPlan
from django_runbook.schema.squash.write import staging


def land(plan: SquashPlan, proof: Proof) -> tuple[Path, ...]:
    """Write the squashed files and the proof of them, all or none, and return them."""
    written = staging.write(plan)
    file = file_of(plan)
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text_of(proof), "utf-8")
    except BaseException:
        for squashed in written:
            squashed.unlink(missing_ok=True)
        raise
    return (*written, file)


def proof_files(app_label: str | None = None) -> tuple[Path, ...]:
    """Return the proofs of an app's squashes, or of all apps that are no installed package's.

    Raises ``MigrationsError`` for an app that is named and has none.
    """
    labels = [app_label] if app_label else [app.label for app in apps.get_app_configs()]
    folders = (folder_of(label) for label in sorted(labels))
    found = [
        file
        for folder in folders
        if folder and not is_installed(folder)
        for file in sorted((folder / FOLDER).glob("*.json"))
    ]
    if app_label and not found:
        raise MigrationsError(
            f"{app_label} has no proof of a squash. 'inv db.squash {app_label}' makes one."
        )
    return tuple(found)


def folder_of(app_label: str) -> Path | None:
    """Return where an app's migrations are; None for an app without any."""
    name, _explicit = MigrationLoader.migrations_module(app_label)
    try:
        module = import_module(name) if name else None
    except ModuleNotFoundError:
        return None
    return Path(module.__file__).resolve().parent if module and module.__file__ else None
