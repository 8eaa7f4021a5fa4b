"""The target: asked of Django, in one process that only reads, and never with the password."""

import json
from pathlib import Path

import pytest
from invoke import Config, Context, Exit

from django_runbook.tasks.processes import target
from tests.commands import ROOT

FIRST = "contenttypes.0001_initial"


@pytest.mark.slow
def test_target_of_an_empty_database(commands, empty_database_url, engine):
    """Engine, place and every migration that is missing, in the order of applying."""
    done = commands.manage("target", "--json", DATABASE_URL=empty_database_url)
    facts = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert (facts["environment"], facts["engine"]) == ("local", engine)
    missing = facts["unapplied"]
    assert missing[0] == FIRST
    assert [name for name in missing if name.startswith("users.")] == [
        "users.0001_initial",
        "users.0002_first_name_to_150_max",
        "users.0003_profile",
    ]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_target_of_a_migrated_database(commands, database_url):
    """Nothing is missing."""
    done = commands.manage("target", "--json", DATABASE_URL=database_url)
    assert json.loads(done.out)["unapplied"] == []


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_asking_creates_no_file(commands, empty_database_url):
    """Connecting would make an SQLite file that was not there; asking does not."""
    file = Path(empty_database_url.removeprefix("sqlite:///"))
    assert not file.exists()
    done = commands.manage("target", DATABASE_URL=empty_database_url)
    assert FIRST in done.out
    assert not file.exists()


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_asking_creates_no_table(commands, empty_database_url):
    """The table of applied migrations is not made by a question."""
    commands.manage("target", DATABASE_URL=empty_database_url)
    done = commands.inv("db.shell", "--", "--", "-Atc", r"\dt", DATABASE_URL=empty_database_url)
    assert (done.code, done.out) == (0, "")


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_password_is_never_shown(commands, database_url):
    """What is printed names the user and not the password."""
    url = database_url.replace("postgres:@", "postgres:hunter2@").replace(
        "postgres@", "postgres:hunter2@"
    )
    assert "hunter2" in url
    for argv in (["target"], ["target", "--json"]):
        done = commands.manage(*argv, DATABASE_URL=url)
        assert done.code == 0
        assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (("local", "sqlite", "", "", "/x/db.sqlite3", ""), "local sqlite /x/db.sqlite3"),
        (
            ("production", "postgresql", "db", "5432", "app", "me"),
            "production postgresql me@db:5432/app",
        ),
        (("", "mysql", "db", "", "app", ""), "mysql db/app"),
    ],
)
def test_target_as_a_line(facts, line):
    """A target is one line."""
    names = ("environment", "engine", "host", "port", "database", "user")
    assert str(target.Target(**dict(zip(names, facts, strict=True)), unapplied=())) == line


def test_failed_question_is_the_commands_own_message(monkeypatch):
    """Where Django cannot answer, its line and exit code are the task's."""
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")  # pytest's own
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    monkeypatch.setenv("SECRET_KEY", "x")
    context = Context(Config(overrides={"runbook": {"root": str(ROOT)}}))
    with pytest.raises(Exit) as error:
        target.ask(context)
    assert error.value.code == 1
    assert str(error.value.message).startswith("Settings: DATABASE_URL (from the environment)")
