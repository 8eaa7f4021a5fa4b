"""A live database against what its applied migrations build."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import load_backend

from django_runbook.schema.fingerprints.drift import _reading
from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.scratch.databases import Workshop, in_place
from tests.ops.schema.conftest import MakeApp

pytestmark = pytest.mark.slow

THING = """[migrations.CreateModel("Thing", [
    ("id", models.BigAutoField(primary_key=True)),
    ("code", models.IntegerField(db_index=True)),
    ("size", models.IntegerField(default=1)),
], options={"indexes": [models.Index(fields=["size"], name="by_size")]})]"""
MORE = """[migrations.AddField("thing", "more", models.TextField(null=True))]"""
LATER = """[migrations.AddField("thing", "later", models.TextField(null=True))]"""


@pytest.fixture
def live(shop: Workshop, make_app: MakeApp) -> Iterator[BaseDatabaseWrapper]:
    """Yield a database of each engine to which all but the last migration of an app is applied."""
    make_app("wares", m0001_initial=THING, m0002_more=MORE, m0003_later=LATER)
    with in_place(shop.create(), "default") as made:
        migrate("wares", "0002_more")
        yield made


@pytest.fixture
def postgresql_live(postgresql: Workshop, make_app: MakeApp) -> Iterator[BaseDatabaseWrapper]:
    """Yield such a database of PostgreSQL."""
    make_app("wares", m0001_initial=THING, m0002_more=MORE, m0003_later=LATER)
    with in_place(postgresql.create(), "default") as made:
        migrate("wares", "0002_more")
        yield made


def migrate(app: str, name: str) -> None:
    """Apply migrations without Django's signals."""
    MigrationExecutor(connections["default"]).migrate([(app, name)])


def execute(*statements: str) -> None:
    """Change the live database by hand."""
    with connections["default"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def schema_drift(*arguments: str) -> tuple[str, str, int]:
    """Return what the command prints, its error and its exit code."""
    out, code, failure = StringIO(), 0, ""
    try:
        call_command("schema_drift", *arguments, stdout=out)
    except CommandError as error:
        code, failure = error.returncode, str(error)
    return out.getvalue(), failure, code


def body(out: str) -> str:
    """Return the report without its first line."""
    return out.partition("\n")[2]


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


REPORT = """\
wares_thing:
  extra column extra: integer
    -> Keep it: write a migration that makes it; or remove it (its data is lost): \
ALTER TABLE "wares_thing" DROP COLUMN "extra";
  extra index by_hand: {on}(size, code)
    -> Keep it: write a migration that makes it; or remove it: DROP INDEX "by_hand";
  missing index by_size: {on}(size)
    -> CREATE INDEX "by_size" {at}(size);
unmanaged table legacy: no migration makes it.
    -> Accept it with --ignore legacy, make a model of it, or drop it.
"""


def test_differences_have_their_next_step(live: BaseDatabaseWrapper) -> None:
    """Each says what is there or missing; the statements that it names mend it."""
    execute(
        "DROP INDEX by_size",
        "CREATE INDEX by_hand ON wares_thing (size, code)",
        "ALTER TABLE wares_thing ADD COLUMN extra integer",
        "CREATE TABLE legacy (id integer PRIMARY KEY, note text)",
    )
    on, at = {
        "sqlite": ("on wares_thing ", "on wares_thing "),
        "postgresql": ("USING btree ", 'ON "wares_thing" USING btree '),
    }[live.vendor]
    out, error, code = schema_drift()
    assert body(out) == REPORT.format(on=on, at=at)
    assert (error, code) == ("Drift: 4 differences.", 1)
    execute(
        'ALTER TABLE "wares_thing" DROP COLUMN "extra";',
        'DROP INDEX "by_hand";',
        f'CREATE INDEX "by_size" {at}(size);',
    )
    assert schema_drift("--ignore=leg*")[1:] == ("", 0)


def test_a_table_of_nobody_fails(live: BaseDatabaseWrapper) -> None:
    """Unless it is accepted by its name."""
    execute("CREATE TABLE legacy (id integer)")
    assert schema_drift()[1:] == ("Drift: 1 difference.", 1)
    assert body(schema_drift("--ignore=legacy")[0]) == "1 ignored by --ignore.\nNo drift.\n"


def test_other_columns_and_constraints(postgresql_live: BaseDatabaseWrapper) -> None:
    """What differs is told with both sides; a constraint of PostgreSQL has its statement."""
    execute(
        "ALTER TABLE wares_thing ALTER size TYPE bigint, ALTER code DROP NOT NULL",
        "ALTER TABLE wares_thing DROP CONSTRAINT wares_thing_pkey",
        "ALTER TABLE wares_thing ADD CONSTRAINT above CHECK (size > 0) NOT VALID",
        "ALTER TABLE wares_thing DROP more",
        "CREATE VIEW seen AS SELECT code FROM wares_thing",
    )
    out, error, code = schema_drift()
    assert (
        body(out)
        == """\
(no table):
  extra view seen: SELECT code FROM wares_thing;
    -> Keep it: write a migration that makes it; or accept it: --ignore 'seen'.
wares_thing:
  column code differs: it is integer; migrations make integer NOT NULL
    -> Make it integer NOT NULL again, or write a migration that makes it integer.
  missing column more: text
    -> ALTER TABLE "wares_thing" ADD COLUMN "more" text;
  column size differs: it is bigint NOT NULL; migrations make integer NOT NULL
    -> Make it integer NOT NULL again, or write a migration that makes it bigint NOT NULL.
  extra constraint above: CHECK ((size > 0)) NOT VALID
    -> Keep it: write a migration that makes it; or remove it: \
ALTER TABLE "wares_thing" DROP CONSTRAINT "above";
  missing constraint wares_thing_pkey: PRIMARY KEY (id)
    -> ALTER TABLE "wares_thing" ADD CONSTRAINT "wares_thing_pkey" PRIMARY KEY (id);
"""
    )
    assert (error, code) == ("Drift: 6 differences.", 1)


def test_a_missing_table_is_told_once(live: BaseDatabaseWrapper) -> None:
    """Without its columns, indexes and sequences."""
    execute("DROP TABLE wares_thing")
    out, error, code = schema_drift()
    assert body(out) == (
        "wares_thing:\n"
        "  missing table\n"
        "    -> Make it as its migration does: 'inv db.sql APP NAME' prints how.\n"
    )
    assert (error, code) == ("Drift: 1 difference.", 1)


def test_names_and_order_alone_do_not_fail(postgresql_live: BaseDatabaseWrapper) -> None:
    """They are shown; with --strict they are drift."""
    execute(
        "ALTER INDEX by_size RENAME TO by_length",
        "ALTER TABLE wares_thing RENAME CONSTRAINT wares_thing_pkey TO key",
        "ALTER SEQUENCE wares_thing_id_seq RENAME TO numbers",
        "ALTER TABLE wares_thing DROP code, ADD code integer NOT NULL",
        "CREATE INDEX more ON wares_thing (code)",
    )
    index = {name for name, _text in fingerprint(connections["default"]).entries["index"]}
    assert index == {"wares_thing.by_length", "wares_thing.more"}
    report = """\
{0}: constraint key is called wares_thing_pkey by the migrations (table wares_thing)
    -> ALTER TABLE "wares_thing" RENAME CONSTRAINT "key" TO "wares_thing_pkey";
{0}: index more is called wares_thing_code_4122d68f by the migrations (table wares_thing)
    -> ALTER INDEX "more" RENAME TO "wares_thing_code_4122d68f";
{0}: index by_length is called by_size by the migrations (table wares_thing)
    -> ALTER INDEX "by_length" RENAME TO "by_size";
{0}: sequence numbers is called wares_thing_id_seq by the migrations (table wares_thing)
    -> ALTER SEQUENCE "numbers" RENAME TO "wares_thing_id_seq";
{0}: table wares_thing: columns stand as id, size, more, code; migrations make id, code, size, more
    -> Nothing to do, unless code takes the columns by their place.
"""
    out, error, code = schema_drift()
    assert body(out) == (report.format("shown only") + "No drift, 5 of name or order alone.\n")
    assert (error, code) == ("", 0)
    out, error, code = schema_drift("--strict")
    assert body(out) == report.format("drift")
    assert (error, code) == ("Drift: 5 differences.", 1)


def test_json(live: BaseDatabaseWrapper) -> None:
    """One object, with the exit code of the report."""
    execute("DROP INDEX by_size", "CREATE TABLE legacy (id integer)")
    out, error, code = schema_drift("--json")
    found = json.loads(out)
    (difference,) = found["differences"]["logical"]
    assert (difference["kind"], difference["name"], difference["left"]) == (
        "index",
        "by_size",
        None,
    )
    assert (found["drift"], found["unmanaged"], found["applied"]) == (True, ["legacy"], 2)
    assert (error, code) == ("Drift: 2 differences.", 1)


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
