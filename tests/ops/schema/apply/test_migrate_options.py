"""Django's options work as they do there, and ours beside them."""

import re
import shutil
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.signals import post_migrate, pre_migrate

from django_runbook.schema.apply import report
from django_runbook.schema.apply.steps import Step
from django_runbook.schema.errors import BackupFailedError
from django_runbook.schema.management.commands import migrate as command
from tests.commands import Done
from tests.engines import server_settings, server_url
from tests.ops.schema.apply.migrating import (
    THING,
    applied,
    database_fixture,
    migrate,
    postgres_fixture,
    server_fixture,
    tables,
)
from tests.ops.schema.conftest import MakeApp

__all__ = ["database_fixture", "postgres_fixture", "server_fixture"]

MODELS = """
    class Thing(models.Model):
        id = models.BigAutoField(primary_key=True)
        name = models.CharField(max_length=9)
        size = models.IntegerField(null=True)
"""
MORE = '[migrations.AddField("thing", "size", models.IntegerField(null=True))]'
BAD = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_size")]
    operations = [migrations.RunSQL("SELECT nonsense")]
"""


@pytest.fixture
def shop(database: BaseDatabaseWrapper, make_app: MakeApp) -> Path:
    """Install an app with two migrations, on each engine."""
    return make_app("shop", MODELS, m0001_initial=THING, m0002_size=MORE)


def test_forward_and_back(shop: Path) -> None:
    """Whole screens: the plan, Django's own words, and the times; to zero in the same way."""
    name = connection.settings_dict["NAME"]
    assert migrate("shop").out == (
        f"2 migrations to apply on {name}, in this order:\n"
        "  shop.0001_initial\n"
        "  shop.0002_size\n"
        "Operations to perform:\n"
        "  Apply all migrations: shop\n"
        "Running migrations:\n"
        "  Applying shop.0001_initial... OK\n"
        "  Applying shop.0002_size... OK\n"
        "Applied shop.0001_initial in N s\n"
        "Applied shop.0002_size in N s\n"
        "Applied 2 migrations in N s\n"
    )
    assert migrate("shop").out == (
        "Operations to perform:\n"
        "  Apply all migrations: shop\n"
        "Running migrations:\n"
        "  No migrations to apply.\n"
    )
    assert migrate("shop", "zero").out == (
        f"2 migrations to undo on {name}, in this order:\n"
        "  shop.0002_size\n"
        "  shop.0001_initial\n"
        "Operations to perform:\n"
        "  Unapply all migrations: shop\n"
        "Running migrations:\n"
        "  Rendering model states... DONE\n"
        "  Unapplying shop.0002_size... OK\n"
        "  Unapplying shop.0001_initial... OK\n"
        "Undid shop.0002_size in N s\n"
        "Undid shop.0001_initial in N s\n"
        "Undid 2 migrations in N s\n"
    )
    assert (applied(), tables()) == ([], [])


def test_fake_and_fake_initial(shop: Path) -> None:
    """Recorded and not run, forward and back; a table that is there fakes an initial migration."""
    assert migrate("shop", fake=True).out.endswith(
        "  Applying shop.0002_size... FAKED\n"
        "Recorded shop.0001_initial as applied, without running it\n"
        "Recorded shop.0002_size as applied, without running it\n"
        "Recorded 2 migrations in N s\n"
    )
    assert (applied(), tables()) == (["0001_initial", "0002_size"], [])
    back = migrate("shop", "zero", fake=True).out.splitlines()
    assert back[-3] == "Recorded shop.0002_size as undone, without running it"
    assert migrate("shop", "0001").code == 0
    MigrationRecorder(connection).flush()
    out = migrate("shop", fake_initial=True).out
    assert "  Applying shop.0001_initial... FAKED\n  Applying shop.0002_size... OK\n" in out
    assert "\nRecorded shop.0001_initial as applied, without running it\n" in out


def test_plan_and_check_write_nothing(shop: Path) -> None:
    """Django's own: neither table nor record is made, and --check tells by its exit code."""
    assert migrate("shop", "0001", plan=True).out == (
        "Planned operations:\nshop.0001_initial\n    Create model Thing\n"
    )
    with pytest.raises(SystemExit) as exit_:
        migrate("shop", check_unapplied=True)
    assert exit_.value.code == 1
    assert connection.introspection.table_names() == []


def test_nothing_is_said_without_verbosity(shop: Path) -> None:
    """For scripts: not a word."""
    assert migrate("shop", verbosity=0) == Done(0, "", "")


def test_prune(shop: Path) -> None:
    """A record without a file is removed, as Django does."""
    assert migrate("shop").code == 0
    MigrationRecorder(connection).record_applied("shop", "0000_gone")
    assert migrate("shop", prune=True).out == "Pruning migrations:\n  Pruning shop.0000_gone OK\n"
    assert applied() == ["0001_initial", "0002_size"]


def test_a_whole_migrate_leaves_nothing_unapplied(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals are sent as ever; what is not applied at the end is an error."""
    apps.set_installed_apps(["django_runbook.schema", "shop"])  # the others take time
    sent = []
    receivers = [(s, lambda n=n, **_: sent.append(n)) for n, s in SIGNALS.items()]
    for made, receiver in receivers:
        made.connect(receiver)
    assert migrate().code == 0
    assert set(sent) == {"pre", "post"}
    monkeypatch.setattr(command, "unapplied", lambda _alias: ["shop.0002_size"])
    assert migrate().err == "Not applied all the same: shop.0002_size."
    for made, receiver in receivers:
        made.disconnect(receiver)
    apps.unset_installed_apps()


SIGNALS = {"pre": pre_migrate, "post": post_migrate}


def test_a_history_that_does_not_fit_is_one_line(shop: Path) -> None:
    """Django's own error, without a traceback."""
    MigrationRecorder(connection).ensure_schema()
    MigrationRecorder(connection).record_applied("shop", "0002_size")
    done = migrate("shop")
    assert (done.code, done.err) == (
        1,
        (
            "Migration shop.0002_size is applied before its dependency shop.0001_initial on "
            "database 'default'."
        ),
    )


@pytest.mark.slow
def test_a_backup_comes_first(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the state before; where it fails, nothing is migrated; none where nothing is due."""
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    (tmp_path / "var").mkdir()
    if connection.vendor == "postgresql":  # for pg_dump, which knows no OPTIONS
        host = server_settings(server_url())["HOST"]
        monkeypatch.setitem(connections["default"].settings_dict, "HOST", host)
    assert migrate("shop", "0001").code == 0
    done = migrate("shop", backup=True)
    assert done.code == 0, done.err
    saved = re.search(r"^Saved .+ to (.+)$", done.out, re.MULTILINE)
    assert saved
    assert done.out.index("in this order") < saved.start() < done.out.index("Running migrations")
    files = sorted(path.name for path in (tmp_path / "var" / "backups").glob("[!.]*"))
    assert [name for name in files if name == Path(saved[1]).name]
    before = len(files)
    assert "Saved" not in migrate("shop", backup=True).out
    assert len(list((tmp_path / "var" / "backups").glob("[!.]*"))) == before

    shutil.rmtree(tmp_path / "var" / "backups")  # names are of the second
    (shop / "0003_bad.py").write_text(BAD)
    assert migrate("shop", "0001").code == 0
    assert migrate("shop", backup=True).err.splitlines()[-1].startswith("The backup from before: ")

    def fail(**_: object) -> None:
        raise BackupFailedError("no room")

    monkeypatch.setattr(command, "backup", fail)
    done = migrate("shop", "zero", backup=True)
    assert (done.code, done.err) == (1, "no room")
    assert applied() == ["0001_initial", "0002_size"]


def test_a_limit_that_the_database_has_not(shop: Path, database: BaseDatabaseWrapper) -> None:
    """SQLite has no statement timeout: wrong usage, and nothing is done."""
    done = migrate("shop", statement_timeout=5)
    if database.vendor == "sqlite":
        assert (done.code, done.err) == (
            2,
            "SQLite has no timeout for such statements: leave --statement-timeout out.",
        )
        assert connection.introspection.table_names() == []
    else:
        assert done.code == 0


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--wait=-1", "argument --wait: '-1' is no number of seconds: 0 to 2147483."),
        (
            "--lock-timeout=nan",
            "argument --lock-timeout: 'nan' is no number of seconds: 0 to 2147483.",
        ),
        ("--lock-retries=x", "argument --lock-retries: 'x' is not a whole number of at least 0"),
    ],
)
def test_bad_values_name_the_option(option: str, said: str) -> None:
    """What is wrong and what is allowed."""
    with pytest.raises(CommandError, match=f"^Error: {said}$"):
        call_command("migrate", option)


def test_another_database_is_named_in_the_commands(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes on, and what goes back, names the alias that was migrated."""
    (shop / "0003_bad.py").write_text(BAD)
    monkeypatch.setitem(connections.settings, "archive", connections.settings["default"])
    monkeypatch.setattr(connections["default"], "alias", "archive")
    connections["archive"] = connections["default"]
    done = migrate("shop", database="archive")
    assert done.err.splitlines()[-1] == (
        "Mend it, then run 'inv db.migrate shop -- --database=archive'. "
        "To go back: 'inv db.migrate shop zero -- --database=archive'."
    )
    del connections["archive"]


def test_many_migrations_are_told_in_few_lines() -> None:
    """A plan of more than twenty is cut, and its summary names the slowest."""
    keys = [(("shop", f"{number:04}"), False) for number in range(30)]
    lines = list(report.plan(keys, "app"))
    assert (len(lines), lines[0]) == (21, "30 migrations to apply on app, in this order:")
    assert lines[-1] == "  and 11 more (--plan shows all)"
    steps = [Step(app_label=key[0], name=key[1], seconds=int(key[1])) for key, _ in keys]
    assert list(report.summary(steps)) == [
        (
            "Applied 30 migrations in 435.00 s; the slowest: "
            "shop.0029 29.00 s, shop.0028 28.00 s, shop.0027 27.00 s"
        )
    ]


def test_the_help_names_ours() -> None:
    """The new options stand beside Django's."""
    shown = load_command_class("django_runbook.schema", "migrate").create_parser(
        "manage.py", "migrate"
    )
    said = shown.format_help()
    for option in ("--lock-timeout", "--statement-timeout", "--wait", "--lock-retries", "--backup"):
        assert option in said
    for option in ("--fake-initial", "--run-syncdb", "--check", "--prune", "--plan"):
        assert option in said
