"""`db.check`: one leaf for each app, and records that have parted from the files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations import CreateModel, Migration, SeparateDatabaseAndState
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import BigAutoField

from django_runbook.schema.history import problems
from django_runbook.schema.history.half_squashed import made_tables
from django_runbook.schema.history.problems import findings
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.finish.finishing import MORE, SQUASH, THING

TABLE = "CREATE TABLE one_thing (id bigint PRIMARY KEY)"


@pytest.fixture
def record() -> Callable[..., None]:
    """Return what records migrations of the app ``one``, and makes its first table."""

    def make(*names: str, table: bool = True) -> None:
        for name in names:
            MigrationRecorder(connection).record_applied("one", name)
        if table:
            with connection.cursor() as cursor:
                cursor.execute(TABLE)

    return make


def lines() -> list[str]:
    """Return what is found, but for the models, which these apps do without."""
    return [str(finding) for finding in findings() if "lacks a migration" not in finding.what]


def old_files(where: Path, name: str) -> str:
    """Return the command that migrates with the old files."""
    return (
        f'git switch --detach "$(git rev-list -1 HEAD -- {where / name}.py)^" '
        "&& inv db.migrate one; git switch -"
    )


@pytest.mark.django_db
def test_squash_that_django_passes_over(make_app: MakeApp, record: Callable[..., None]) -> None:
    """The silent state: half of it is applied, the files are gone, Django sees no migrations."""
    where = make_app("one", m0001_squashed_0002_more=SQUASH)
    record("0001_initial")
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    assert lines() == [
        (
            "one.0001_squashed_0002_more replaces 0002_more, not applied here and without a file: "
            "Django shows '(no migrations)' and applies nothing; the old files do. "
            f"Run '{old_files(where, '0002_more')}'."
        )
    ]


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_installed_package_is_passed_over(
    make_app: MakeApp, record: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git does not have its old files; an older release has."""
    make_app("one", m0001_squashed_0002_more=SQUASH)
    monkeypatch.setattr(problems, "is_installed", lambda _folder: True)
    record("0001_initial")
    (line,) = lines()
    assert line.endswith(". Run 'inv db.migrate one' with the release that has '0002_more'.")


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_dependent_of_a_squash_that_is_passed_over(
    make_app: MakeApp, record: Callable[..., None]
) -> None:
    """Where another migration names an old file, Django ends in a traceback; this does not."""
    make_app("one", m0001_squashed_0002_more=SQUASH)
    make_app(
        "two",
        m0001_initial="""
            class Migration(migrations.Migration):
                dependencies = [("one", "0002_more")]
            """,
    )
    record("0001_initial")
    assert [line.partition(" replaces ")[0] for line in lines()] == ["one.0001_squashed_0002_more"]


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_squash_that_is_recorded_alone(make_app: MakeApp, record: Callable[..., None]) -> None:
    """Rows of what it replaces were taken out of the record: Django would apply it again."""
    make_app("one", m0001_squashed_0002_more=SQUASH)
    record("0001_squashed_0002_more")
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan([("one", "0001_squashed_0002_more")])
    assert [migration.name for migration, _ in plan] == ["0001_squashed_0002_more"]
    assert lines() == [
        (
            "one.0001_squashed_0002_more is recorded, but not 0001_initial and 1 more, which it "
            "replaces: Django takes it for unapplied until 'replaces' is removed. "
            "Run 'inv db.squash one --finish'."
        )
    ]


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_squash_whose_midst_somebody_went_back_to(
    make_app: MakeApp, record: Callable[..., None]
) -> None:
    """It stays in the record, which is then wrong: a part of it is not applied."""
    where = make_app("one", m0001_squashed_0002_more=SQUASH)
    record("0001_squashed_0002_more", "0001_initial")
    (line,) = lines()
    assert line.startswith("one.0001_squashed_0002_more replaces 0002_more, not applied here")
    assert line.endswith(f"Run '{old_files(where, '0002_more')}'.")


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_squash_that_was_finished_too_early(make_app: MakeApp, record: Callable[..., None]) -> None:
    """Nothing of what is there is recorded, old names are, and the tables exist."""
    plain = SQUASH.replace("replaces", "was")
    where = make_app("one", m0001_squashed_0002_more=plain)
    record("0001_initial", "0002_more")
    assert lines() == [
        (
            "one.0001_squashed_0002_more makes one_thing, which is there already, made by "
            "0001_initial and 1 more, without a file: 'inv db.migrate' would fail; "
            "the old files tell it what is applied. "
            f"Run '{old_files(where, '0002_more')}'."
        )
    ]


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_migration_that_was_renamed(make_app: MakeApp, record: Callable[..., None]) -> None:
    """Its table is there under the old name; its neighbour is recorded under its own."""
    make_app("one", m0001_more=f"[{MORE}]", m0002_things=f"[{THING}]")
    record("0001_more", "0002_thing")
    assert lines() == [
        (
            "one.0002_things makes one_thing, which is there already, while 0002_thing is recorded "
            "and has no file: if it was renamed, only the record is wrong. "
            "Run 'inv db.migrate one 0002_things -- --fake && inv db.drift'."
        )
    ]


@pytest.mark.django_db
def test_tables_without_a_record(make_app: MakeApp, record: Callable[..., None]) -> None:
    """Somebody made them without migrations."""
    make_app("one", m0001_initial=f"[{THING}]", m0002_more=f"[{MORE}]")
    record()
    assert lines() == [
        (
            "one.0001_initial makes one_thing, which is there already, and no migration of one is "
            "recorded: 'inv db.migrate' would fail. "
            "Run 'inv db.migrate one -- --fake-initial && inv db.drift'."
        )
    ]


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("recorded", "table", "unapplied"),
    [
        ((), False, ["0001_initial", "0002_more"]),
        (("0009_of_another_package",), False, ["0001_initial", "0002_more"]),
        (("0001_initial",), True, ["0002_more"]),
        (("0001_initial", "0002_more"), True, []),
    ],
)
def test_what_is_only_unapplied(
    make_app: MakeApp,
    record: Callable[..., None],
    recorded: tuple[str, ...],
    table: bool,
    unapplied: list[str],
) -> None:
    """A new app, a label that served before, a database that is behind: nothing has parted."""
    make_app("one", m0001_initial=f"[{THING}]", m0002_more=f"[{MORE}]")
    record(*recorded, table=table)
    assert lines() == [f"one.{name} is not applied. Run 'inv db.migrate'." for name in unapplied]


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_table_of_an_unapplied_migration(make_app: MakeApp, record: Callable[..., None]) -> None:
    """Where every record has its file, nobody knows who made it: an earlier one may drop it."""
    make_app("one", m0001_more=f"[{MORE}]", m0002_things=f"[{THING}]")
    record("0001_more")
    assert lines() == ["one.0002_things is not applied. Run 'inv db.migrate'."]


def model(name: str, **options: object) -> CreateModel:
    """Return an operation that makes a model."""
    return CreateModel(name, [("id", BigAutoField(primary_key=True))], options)


class Router:
    """Keeps one model away."""

    def allow_migrate(self, *_: object, model_name: str | None = None, **__: object) -> bool | None:
        """Tell where a model goes."""
        return False if model_name == "elsewhere" else None


def test_tables_that_migrations_make(settings: Any) -> None:
    """By their names; none for what is not managed, a proxy, swapped, routed elsewhere."""
    settings.DATABASE_ROUTERS = [Router()]
    migration = Migration("0001_initial", "one")
    migration.operations = [
        model("Thing"),
        model("Named", db_table="own_name"),
        model("View", managed=False),
        model("Proxy", proxy=True),
        model("Swapped", swappable="AUTH_USER_MODEL"),
        model("Kept", swappable="NOBODY_SET_IT"),
        model("Elsewhere"),
        SeparateDatabaseAndState([model("Inner")], [model("State")]),
    ]
    tables = {"one_thing", "own_name", "one_kept", "one_inner"}
    assert made_tables([migration], "default") == tables
    assert made_tables([migration]) == {*tables, "one_elsewhere"}
    user = Migration("0001_initial", "users")
    user.operations = [model("User", swappable="AUTH_USER_MODEL")]
    assert made_tables([user], "default") == {"users_user"}


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_squash_in_the_middle_of_its_way(make_app: MakeApp, record: Callable[..., None]) -> None:
    """With the old files there, Django applies the rest of them."""
    make_app(
        "one",
        m0001_initial=f"[{THING}]",
        m0002_more=f"[{MORE}]",
        m0001_squashed_0002_more=SQUASH,
    )
    record("0001_initial")
    assert lines() == ["one.0002_more is not applied. Run 'inv db.migrate'."]


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_squash_of_what_is_all_applied(make_app: MakeApp, record: Callable[..., None]) -> None:
    """Its tables are there for good reason, whatever else an older squash left in the record."""
    make_app("one", m0001_squashed_0002_more=SQUASH)
    record("0000_older", "0001_initial", "0002_more")
    assert lines() == []


def test_two_leaves(make_app: MakeApp) -> None:
    """Both are named, with the command that joins them; the same number is no matter."""
    make_app(
        "one",
        m0001_initial=f"[{THING}]",
        m0002_more=f"[{MORE}]",
        m0002_other="""
            class Migration(migrations.Migration):
                dependencies = [("one", "0001_initial")]
            """,
    )
    assert list(map(str, findings(None))) == [
        "one has conflicting leaves: 0002_more, 0002_other. Run 'inv db.make one --merge'."
    ]


def test_file_that_cannot_be_read(make_app: MakeApp) -> None:
    """It is one finding, and the doctor's line too, in place of a traceback."""
    make_app("one", m0001_initial="class Migration(migrations.Migration)")
    (line,) = map(str, findings(None))
    assert line.endswith(
        "one/migrations/0001_initial.py, line 5: SyntaxError: expected ':'. Mend the file."
    )
