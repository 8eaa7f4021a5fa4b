"""Targets for plans, and the migrations that they lack."""

from collections.abc import Iterator

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.review.plan import Plan
from django_runbook.schema.review.reviewer import Look
from django_runbook.schema.scratch.databases import in_place, workshop

ITEM = """[migrations.CreateModel("Item", [
    ("id", models.BigAutoField(primary_key=True)), ("code", models.IntegerField())])]"""
DROP = """[
    {}
    migrations.RemoveField("item", "code"),
]"""
FAST = Look(rows=20)
TARGET_IS_SQLITE = "The target is SQLite, whose own SQL '--engine sqlite' shows."


@pytest.fixture(name="target")
def target_fixture(scratch_server: None) -> Iterator[BaseDatabaseWrapper]:
    """Yield a SQLite database that is ``default``, and an empty one."""
    with workshop("sqlite", "default") as made, in_place(made.create(), "default") as database:
        yield database


def record(*pending_keys: tuple[str, str]) -> None:
    """Record every migration as applied but these."""
    recorder = MigrationRecorder(connections["default"])
    recorder.ensure_schema()
    for key in MigrationLoader(None, replace_migrations=False).graph.nodes:
        if key not in pending_keys:
            recorder.record_applied(*key)


def names(made: Plan) -> list[str]:
    """Return the migrations of a plan."""
    return [f"{it.app_label}.{it.name}" for it in made.migrations]
