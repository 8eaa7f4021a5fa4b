"""A live database against what its applied migrations build."""

import json
from pathlib import Path

import pytest
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import load_backend

from django_runbook.schema.fingerprints.drift import _reading
from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.scratch.databases import Workshop, in_place
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.fingerprints.drifting import THING, body, execute, migrate, schema_drift

pytestmark = pytest.mark.slow


def test_no_drift(live: BaseDatabaseWrapper) -> None:
    """What is not applied yet is no drift; the database is read, and stays as it was."""
    before = fingerprint(live)
    origin, engine = {
        "sqlite": ("in memory", "SQLite"),
        "postgresql": ("the server of RUNBOOK_SCRATCH_DATABASE_URL", "PostgreSQL"),
    }[live.vendor]
    assert schema_drift() == (
        (
            f"default: {engine} database {live.settings_dict['NAME']} against what its 2 applied "
            f"migrations build (scratch: {origin}).\nNo drift.\n"
        ),
        "",
        0,
    )
    assert fingerprint(live) == before


PRINTS = """
def fill(apps, schema_editor):
    print("filling")


class Migration(migrations.Migration):
    operations = [migrations.RunPython(fill)]
"""


def test_what_migrations_print_is_apart(
    live: BaseDatabaseWrapper, make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to standard error, so that the output stays JSON."""
    make_app("stock", m0001_initial=PRINTS)
    MigrationRecorder(live).record_applied("stock", "0001_initial")
    assert json.loads(schema_drift("--json")[0])["applied"] == 3
    assert capsys.readouterr() == ("", "filling\n")


def test_a_table_that_a_model_declares_is_no_drift(
    live: BaseDatabaseWrapper, make_app: MakeApp
) -> None:
    """A model that is not managed names a table of somebody else's."""
    make_app(
        "others",
        models="""
            class Old(models.Model):
                class Meta:
                    managed = False
                    db_table = "legacy"
        """,
    )
    execute("CREATE TABLE legacy (id integer)")
    assert body(schema_drift()[0]) == (
        "table legacy: its model is not managed by migrations. Nothing to do.\nNo drift.\n"
    )


class NotHere:
    """A router that keeps the app from a database."""

    def allow_migrate(self, db: str, app_label: str, **_hints: object) -> bool | None:
        """Tell it."""
        return False if (db, app_label) == ("default", "wares") else None


def test_routers_decide_as_they_do_there(
    shop: Workshop, make_app: MakeApp, settings: pytest.FixtureRequest
) -> None:
    """What a router keeps from this database is not expected there."""
    make_app("wares", m0001_initial=THING)
    with in_place(shop.create(), "default"):
        settings.DATABASE_ROUTERS = [NotHere()]
        migrate("wares", "0001_initial")
        assert connections["default"].introspection.table_names() == ["django_migrations"]
        assert schema_drift()[1:] == ("", 0)
        settings.DATABASE_ROUTERS = []
        assert schema_drift()[1:] == ("Drift: 1 difference.", 1)


def test_what_is_recorded_without_a_file_is_said(live: BaseDatabaseWrapper) -> None:
    """Its tables cannot be built, and would look like somebody else's."""
    MigrationRecorder(live).record_applied("wares", "0009_gone")
    assert body(schema_drift()[0]).splitlines()[0] == (
        "Note: wares.0009_gone recorded as applied, but no file is there: what it made is shown "
        "as drift. Check out the code that has it, or run 'migrate --prune'."
    )


@pytest.mark.parametrize(
    ("operation", "what", "hint"),
    [
        (
            'RunSQL("SELECT missing")',
            "Raw SQL operation): ",
            (
                " Where its server lacks something, set RUNBOOK_SCRATCH_DATABASE_URL to one that "
                "has it."
            ),
        ),
        (
            "RunPython(lambda *_: 1 / 0)",
            "Raw Python operation): ZeroDivisionError: division by",
            "",
        ),
    ],
)
def test_migrations_that_do_not_build(
    live: BaseDatabaseWrapper, make_app: MakeApp, operation: str, what: str, hint: str
) -> None:
    """The one that fails is named with its operation."""
    make_app("stock", m0001_initial=f'[migrations.RunSQL("SELECT 1"), migrations.{operation}]')
    MigrationRecorder(live).record_applied("stock", "0001_initial")
    out, error, code = schema_drift()
    assert error.startswith("The migrations do not build on a scratch database (")
    assert f": stock.0001_initial, operation 2 ({what}" in error
    assert error.endswith(hint)
    assert ("RUNBOOK_SCRATCH_DATABASE_URL to" in error) == bool(hint)
    assert (out, code) == ("", 1)


def test_another_version_is_said(
    postgresql_live: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers of two major versions may spell one thing differently."""
    there = ".".join(map(str, postgresql_live.get_database_version()))
    monkeypatch.setattr(postgresql_live, "get_database_version", lambda: (9, 6))
    assert body(schema_drift()[0]) == (
        f"Note: The database is version 9.6, the scratch server {there}: they may spell one "
        "thing differently. Set RUNBOOK_SCRATCH_DATABASE_URL to a server of the same version.\n"
        "No drift.\n"
    )


def test_the_live_database_cannot_be_written(live: BaseDatabaseWrapper) -> None:
    """While it is read, a statement that writes fails; afterwards it does not."""
    with pytest.raises(DatabaseError), _reading(live):
        execute("CREATE TABLE written (id integer)")
    execute("CREATE TABLE written (id integer)")


def test_a_file_that_is_not_there(scratch_server: None, tmp_path: Path) -> None:
    """It is not made."""
    file = tmp_path / "none.sqlite3"
    values = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
    values = connections.configure_settings({"default": values})["default"]
    with in_place(load_backend(values["ENGINE"]).DatabaseWrapper(values, "default"), "default"):
        found = schema_drift()
    assert found == ("", f"The database {file} does not exist. Run 'inv db.migrate' first.", 1)
    assert not file.exists()
