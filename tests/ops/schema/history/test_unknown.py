"""Old code on a newer database: what is recorded and in no file is said wherever it matters."""

import sqlite3

import psycopg
import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.history.unknown import said, unknown
from tests.commands import Commands
from tests.ops.schema.conftest import MakeApp
from tests.ops.schema.squash.finish.finishing import MORE, SQUASH, THING

NEWER = (
    "users.0099_newer is applied and in no file: the database is newer than this code. "
    "Deploy the code that has it, or undo it with that code first."
)


def record(*names: str) -> None:
    """Record migrations of the app ``one``, in this order."""
    for name in names:
        MigrationRecorder(connection).record_applied("one", name)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ((), []),
        (("0001_initial", "0002_more"), []),
        (("0001_initial", "0003_newer"), ["one.0003_newer"]),
        (("0001_initial", "0002_other", "0002_more"), ["one.0002_other"]),
        (("0009_of_another_package",), []),
    ],
)
def test_recorded_and_in_no_file(
    make_app: MakeApp, recorded: tuple[str, ...], found: list[str]
) -> None:
    """What no file has is found, unless the label was another package's before."""
    make_app("one", m0001_initial=f"[{THING}]", m0002_more=f"[{MORE}]")
    record(*recorded)
    assert [name for name in unknown() if name.startswith("one.")] == found


@pytest.mark.django_db
@pytest.mark.parametrize("recorded_squash", [(), ("0001_squashed_0002_more",)])
def test_what_a_squash_replaces_is_known(make_app: MakeApp, recorded_squash: tuple[str]) -> None:
    """Also what an older squash had replaced; not what came later."""
    make_app("one", m0001_squashed_0002_more=SQUASH)
    record("0000_older", "0001_initial", "0002_more", *recorded_squash)
    assert unknown() == []
    record("0003_newer")
    assert unknown() == ["one.0003_newer"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["0001_squashed_0002_more", "0001_whole"])
def test_what_a_finished_squash_replaced_is_known(make_app: MakeApp, name: str) -> None:
    """The files are gone, and 'replaces' is: the squash is known by its name or by its proof."""
    where = make_app("one", **{f"m{name}": f"[{THING}, {MORE}]"})
    if "squashed" not in name:
        (where / "proofs").mkdir()
        (where / "proofs" / f"{name}.json").touch()
    record("0001_initial", "0002_more", name)
    assert unknown() == []
    record("0003_newer")
    assert unknown() == ["one.0003_newer"]


@pytest.mark.django_db
def test_app_that_is_not_installed_is_none_of_ours() -> None:
    """A package that was taken out leaves its record, and nobody needs its files."""
    MigrationRecorder(connection).record_applied("gone", "0001_initial")
    assert unknown() == []


def test_several_are_one_line() -> None:
    """The first is named, and how many there are; nothing is said of none."""
    assert said([]) == ""
    assert said(["a.0001_x", "a.0002_y", "b.0001_z"]) == (
        "a.0001_x and 2 more are applied and in no file: the database is newer than this code. "
        "Deploy the code that has it, or undo it with that code first."
    )


@pytest.fixture
def newer(database_url: str) -> str:
    """Return the URL of a database on which newer code has migrated."""
    insert = "INSERT INTO django_migrations (app, name, applied) VALUES ('users', '0099_newer', %s)"
    if database_url.startswith("sqlite"):
        file = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        with file:
            file.execute(insert % "'2026-01-01 00:00:00'")
        file.close()
    else:
        with psycopg.connect(database_url) as server:
            server.execute(insert % "now()")
    return database_url


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["migrate", "job_preflight", "expire_trials", "expire_trials --json"]
)
def test_commands_say_so_and_go_on(commands: Commands, newer: str, command: str) -> None:
    """One line on standard error, and the exit code is the command's own."""
    done = commands.manage(*command.split(), DATABASE_URL=newer)
    assert (done.code, done.err) == (0, f"{NEWER}\n")
    assert NEWER not in done.out


@pytest.mark.slow
@pytest.mark.parametrize("task", ["doctor", "db.check"])
def test_doctor_and_check_are_not_content(commands: Commands, newer: str, task: str) -> None:
    """It is a line of its own, with what to do, and the exit code is 1."""
    done = commands.inv(task, DATABASE_URL=newer)
    assert done.code == 1
    assert NEWER.removesuffix(".") in done.out + done.err


@pytest.mark.slow
def test_pruning_is_not_warned(commands: Commands, newer: str) -> None:
    """Who takes the names out of the record knows of them."""
    done = commands.manage("migrate", "users", "--prune", DATABASE_URL=newer)
    assert (done.code, done.err) == (0, "")
