"""Plans for targets of all kinds, which are only read."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.errors import MigrationsError, NoServerError
from django_runbook.schema.history.pending import pending
from django_runbook.schema.review import planner
from django_runbook.schema.review.planner import NO_PROOF, plan
from django_runbook.schema.scratch.databases import Workshop, in_place, workshop
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.review.planning import (
    DROP,
    FAST,
    ITEM,
    TARGET_IS_SQLITE,
    names,
    record,
    target_fixture,
)

__all__ = ["target_fixture"]


def test_without_postgresql(
    target: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite alone is shown, and said to be no proof; PostgreSQL that was asked for is refused."""

    def only_sqlite(vendor: str, alias: str) -> AbstractContextManager[Workshop]:
        if vendor == "postgresql":
            raise NoServerError("There is no PostgreSQL.")
        return workshop(vendor, alias)

    monkeypatch.setattr(planner, "workshop", only_sqlite)
    make_app("shop", m0001_initial=ITEM, m0002_less=DROP.format(""))
    keys = [("shop", "0002_less")]
    made = plan(keys=keys, look=FAST)
    assert (made.vendor, made.origin) == ("sqlite", "in memory")
    assert made.notes == (f"There is no PostgreSQL. {NO_PROOF}",)
    assert made.migrations[0].operations[0].statements == (
        'ALTER TABLE "shop_item" DROP COLUMN "code";',
    )
    assert [risk.rule for risk in made.failing] == ["drop-column"]
    assert plan(keys=keys, engine="sqlite", look=FAST).notes == ()
    with pytest.raises(NoServerError):
        plan(keys=keys, engine="postgresql")


OTHER = (
    "The target is MariaDB, of which no scratch databases are made: SQL, locks and rewrites are "
    "SQLite's. 'inv db.sql' shows MariaDB's SQL, as the target's present state gives it."
)


@pytest.mark.parametrize(
    ("vendor", "note"),
    [("postgresql", f"The target is PostgreSQL. {NO_PROOF}"), ("mysql", OTHER)],
)
def test_engine_is_not_the_targets(
    target: BaseDatabaseWrapper,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    vendor: str,
    note: str,
) -> None:
    """A plan on another engine than the target's says so, and what it is worth."""
    make_app("shop", m0001_initial=ITEM)
    monkeypatch.setattr(target, "vendor", vendor, raising=False)
    monkeypatch.setattr(target, "display_name", "MariaDB", raising=False)
    made = plan(keys=[("shop", "0001_initial")], engine="sqlite", look=FAST)
    assert (made.vendor, made.notes) == ("sqlite", (note,))


def test_postgresql_target(postgresql: Workshop, make_app: MakeApp) -> None:
    """There is nothing to be said of the engine; the target's tables stay as they were."""
    make_app("shop", m0001_initial=ITEM)
    with in_place(postgresql.create(), "default") as database:
        record(("shop", "0001_initial"))
        made = plan(look=FAST)
        assert database.introspection.table_names() == ["django_migrations"]
    assert (names(made), made.notes) == (["shop.0001_initial"], ())


FAILS = """
    def fill(apps, schema_editor):
        print("noise")
        apps.get_model("shop", "Item").objects.get(pk=1)

    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [migrations.RunPython(fill, migrations.RunPython.noop)]"""


@pytest.fixture
def failing(target: BaseDatabaseWrapper, make_app: MakeApp) -> Path:
    """Install an app whose second migration fails on a new database; return its folder."""
    return make_app("shop", m0001_initial=ITEM, m0002_fill=FAILS, m0003_less=DROP.format(""))


def test_pending_migration_that_fails(failing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a danger; what comes after it is named, not guessed; what it prints is dropped."""
    record(("shop", "0002_fill"), ("shop", "0003_less"))
    made = plan(look=FAST)
    assert names(made) == ["shop.0002_fill"]
    [risk] = made.failing
    assert (risk.rule, risk.operation, risk.reason) == (
        "fails-when-empty",
        0,
        (
            "It fails on a new database, where its parents are applied and the tables are empty: "
            "DoesNotExist: Item matching query does not exist."
        ),
    )
    assert made.notes == (
        TARGET_IS_SQLITE,
        "1 migration after shop.0002_fill, which fails, cannot be looked at: shop.0003_less.",
    )
    assert failing.is_dir()
    assert capsys.readouterr().out == ""


def test_parent_that_fails(failing: Path) -> None:
    """A migration that is applied to the target, and to no new database, ends it in one line."""
    record(("shop", "0003_less"))
    with pytest.raises(MigrationsError) as raised:
        plan(look=FAST)
    assert str(raised.value) == (
        "shop.0002_fill fails on a new PostgreSQL database, so that what comes after it cannot be "
        "looked at: DoesNotExist: Item matching query does not exist. Mend "
        "shop/migrations/0002_fill.py."
    )


def test_squashed(target: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """A target that has what a squash replaces lacks nothing; a new one lacks the squash alone."""
    make_app(
        "shop",
        m0001_initial=ITEM,
        m0002_less=DROP.format(""),
        m0001_squashed="""
            class Migration(migrations.Migration):
                replaces = [("shop", "0001_initial"), ("shop", "0002_less")]
                operations = [migrations.CreateModel("Item", [
                    ("id", models.BigAutoField(primary_key=True))])]""",
    )
    two = (("shop", "0001_initial"), ("shop", "0002_less"))
    record(("shop", "0001_squashed"), *two)
    assert pending("default").keys == (("shop", "0001_squashed"),)
    MigrationRecorder(target).record_applied(*two[0])
    assert pending("default").keys == (two[1],)
    MigrationRecorder(target).record_applied(*two[1])
    assert pending("default").keys == ()
    made = plan(keys=[*two, ("shop", "0001_squashed")], look=FAST)
    assert names(made) == ["shop.0001_squashed"]
    assert made.notes[:2] == tuple(
        f"{'.'.join(key)} is replaced by shop.0001_squashed, which is shown instead of it where it "
        f"is new."
        for key in two
    )


def test_absent_sqlite_file_is_not_made(
    target: BaseDatabaseWrapper,
    make_app: MakeApp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All is pending then, and there is no file afterwards."""
    make_app("shop", m0001_initial=ITEM)
    file = tmp_path / "absent.sqlite3"
    BaseDatabaseWrapper.close(target)  # the next connection goes to the file
    monkeypatch.setitem(target.settings_dict, "NAME", str(file))
    assert pending("default", "shop").keys == (("shop", "0001_initial"),)
    assert not file.exists()


def test_history_that_cannot_be(target: BaseDatabaseWrapper, make_app: MakeApp) -> None:
    """A migration recorded before its parent is told, with what shows it."""
    make_app("shop", m0001_initial=ITEM, m0002_less=DROP.format(""))
    record(("shop", "0001_initial"))
    with pytest.raises(MigrationsError, match=r"0002_less is applied before .*'inv db.show' lists"):
        plan()


class OnlyTheArchive:
    """Lets the app `shop` have tables in one database alone."""

    def allow_migrate(self, db: str, app_label: str, **_hints: object) -> bool:
        """Tell whether the app may have tables there."""
        return app_label != "shop" or db == "archive"


@pytest.mark.slow
def test_another_database_and_a_router(
    target: BaseDatabaseWrapper, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQL, Python and risks are those of the alias that is asked for, as the router lets them."""
    monkeypatch.setattr(router, "routers", [OnlyTheArchive()])
    monkeypatch.setitem(connections.settings, "archive", target.settings_dict)
    make_app(
        "shop",
        m0001_initial=ITEM,
        m0002_fill="[migrations.RunPython(migrations.RunPython.noop)]",
        m0003_less=DROP.format(""),
    )
    keys = [("shop", "0002_fill"), ("shop", "0003_less")]
    made = {alias: plan(alias, keys=keys, look=FAST) for alias in ("default", "archive")}
    seen = {
        alias: (
            [len(migration.operations[0].statements) for migration in one.migrations],
            [risk.rule for risk in one.failing],
        )
        for alias, one in made.items()
    }
    assert seen == {"default": ([0, 0], []), "archive": ([1, 1], ["drop-column"])}
