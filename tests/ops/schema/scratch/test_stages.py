"""Scratch databases, and migrations with exactly their parents applied."""

from collections.abc import Callable

import pytest
from django.db import connection, connections

from django_runbook.schema.errors import OtherDatabaseError
from django_runbook.schema.scratch.databases import Workshop, in_place
from django_runbook.schema.scratch.stages import Stages, apply, unapply
from tests.ops.schema.conftest import MakeApp


def two_apps(make_app: MakeApp) -> None:
    """Install two apps with tables that tell which migration was applied."""
    for label in ("one", "two"):
        make_app(
            label,
            m0001_initial="""[
                migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))]),
            ]""",
            m0002_more="""[
                migrations.CreateModel("More", [("id", models.BigAutoField(primary_key=True))]),
            ]""",
        )


def tables() -> list[str]:
    """Return the tables of what ``default`` is."""
    return connection.introspection.table_names()


def test_exactly_the_parents_are_applied(
    shop: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> None:
    """Each stage has the tables of the migration's parents, and no others."""
    two_apps(make_app)
    stages = stages_on(shop)
    seen = {}
    for key in [("one", "0001_initial"), ("one", "0002_more"), ("two", "0002_more")]:
        with stages.before(key) as stage:
            seen[".".join(key)] = tables()
            assert stage.migration.name == key[1]
            assert [model for _, model in stage.state.models] == ["thing"][: len(tables())]
    assert seen == {
        "one.0001_initial": [],
        "one.0002_more": ["one_thing"],
        "two.0002_more": ["two_thing"],
    }


@pytest.mark.slow
def test_a_copy_is_changed_alone(
    shop: Workshop, make_app: MakeApp, stages_on: Callable[[Workshop], Stages]
) -> None:
    """A migration applied to a copy, and undone there, leaves the stage's database as it was."""
    two_apps(make_app)
    with stages_on(shop).before(("one", "0002_more")) as stage:
        copy = shop.create(copy_of=stage.connection)
        with in_place(copy, "default"):
            apply(stage.migration, stage.state.clone(), copy)
            assert tables() == ["one_more", "one_thing"]
            unapply(stage.migration, stage.state, copy)
            assert tables() == ["one_thing"]
        assert tables() == ["one_thing"]


def test_the_real_databases_come_back(scratch_server: None, shop: Workshop) -> None:
    """While a scratch database is in place it is ``default``; afterwards the real one is."""
    real = connections["default"]
    made = shop.create()
    with in_place(made, "default"):
        assert connections["default"] is made
        assert connections.settings["default"] is made.settings_dict
    assert connections["default"] is real
    assert connections.settings["default"] is real.settings_dict


def test_no_other_database_is_reached(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that asks another alias is told so; the database there is never asked."""
    monkeypatch.setitem(connections.settings, "archive", connections.settings["default"])
    with (
        in_place(shop.create(), "default"),
        pytest.raises(OtherDatabaseError) as refused,
    ):
        connections["archive"].cursor()
    assert str(refused.value) == (
        "A migration asks the database 'archive', while 'default' is tried out on a scratch "
        "database: let it use schema_editor.connection.alias."
    )
