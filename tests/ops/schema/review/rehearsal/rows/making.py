"""Models that are made for one test, their tables, and made-up rows in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ModelState, ProjectState

from django_runbook.schema.review.rehearsal.rows.filling import fill
from django_runbook.schema.review.rehearsal.rows.tables import Filled
from django_runbook.schema.scratch.databases import Workshop, in_place


@contextmanager
def made(shop: Workshop, **shapes: Any) -> Iterator[ProjectState]:
    """Yield the state of models made of fields or of (fields, options), with their tables."""
    with in_place(shop.create(), "default") as database, made_in(database, **shapes) as state:
        yield state


@contextmanager
def made_in(database: BaseDatabaseWrapper, **shapes: Any) -> Iterator[ProjectState]:
    """Do the same in a database that is there, and drop the tables afterwards."""
    state = ProjectState()
    for name, shape in shapes.items():
        fields, options = shape if isinstance(shape, tuple) else (shape, {})
        if not any(field.primary_key for field in fields.values()):
            fields = {"id": models.BigAutoField(primary_key=True), **fields}
        state.add_model(ModelState("made", name, list(fields.items()), options))
    with database.schema_editor() as editor:
        for name in shapes:
            editor.create_model(state.apps.get_model("made", name))
    try:
        yield state
    finally:
        with database.schema_editor() as editor:
            for name in reversed(shapes):
                editor.delete_model(state.apps.get_model("made", name))


def filled(state: ProjectState, rows: int = 60, *, hostile: bool = True, **other: int) -> Filled:
    """Fill every table of a state."""
    names = {
        model._meta.db_table: rows for model in state.apps.get_models(include_auto_created=True)
    }
    return fill(connection, state.apps, {**names, **other}, hostile=hostile)


def objects(state: ProjectState, name: str) -> list[Any]:
    """Return what the ORM reads from a model's table."""
    return list(state.apps.get_model("made", name).objects.order_by("pk"))
