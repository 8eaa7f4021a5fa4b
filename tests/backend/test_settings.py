"""Settings: safe by default, strict, and explained in the README."""

import os
import re
import secrets
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.env import Environment
from tests.commands import ROOT

SQLITE = "sqlite://:memory:"


def environment(tmp_path: Path, text: str = "", **process: str) -> Environment:
    """Return an environment over a `.env` file that holds ``text``."""
    file = tmp_path / ".env"
    file.write_text(text, "utf-8")
    return Environment(process, file)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("SECRET_KEY", "SECRET_KEY is not set"),
        ("DATABASE_URL", "DATABASE_URL is not set"),
    ],
)
def test_nothing_starts_without(commands, missing, message):
    """Without a key or a database there is one line, exit code 1, and no default."""
    values = {"DATABASE_URL": SQLITE, "DEBUG": None, missing: None}
    done = commands.manage("check", **values)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Settings: {message}: './inv db.migrate' makes a .env for development; "
        "a server sets it in its environment.\n"
    )


def test_bad_value_names_itself_its_source_and_what_is_allowed(commands):
    """One line says all that is needed to mend it."""
    done = commands.manage("makemigrations", "--check", DATABASE_URL=SQLITE, DEBUG="maybe")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "Settings: DEBUG 'maybe' (from the environment) is not valid: use true or false.\n"
    )


@pytest.mark.slow
def test_debug_is_off_and_the_environment_is_production_by_default(commands):
    """What was not configured is taken for production."""
    done = commands.manage("target", DATABASE_URL=SQLITE, DEBUG=None)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "environment  production"
    shown = "from django.conf import settings; print(settings.DEBUG)"
    done = commands.manage("shell", "--no-imports", "-c", shown, DATABASE_URL=SQLITE, DEBUG=None)
    assert done.out == "False\n"


def test_deploy_check_is_clean(commands):
    """Django's deployment check finds nothing to warn of."""
    done = commands.manage(
        *("check", "--deploy", "--fail-level", "WARNING"),
        DATABASE_URL="postgresql://app@db.example/app",
        SECRET_KEY=secrets.token_urlsafe(50),
        ALLOWED_HOSTS="app.example",
        DEBUG=None,
    )
    assert (done.code, done.out) == (0, "System check identified no issues (0 silenced).\n")


@pytest.mark.slow
def test_unreachable_database_is_one_line_without_the_password(commands):
    """A server that does not answer ends in one line and exit code 1."""
    url = "postgresql://app:hunter2@127.0.0.1:1/app"
    done = commands.manage("expire_trials", DATABASE_URL=url)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("Database: connection failed")
    assert done.err.endswith("Check DATABASE_URL and the server; --traceback shows more.\n")
    assert "hunter2" not in done.err
    assert "Traceback" in commands.manage("expire_trials", "--traceback", DATABASE_URL=url).err


def test_process_wins_over_the_file_and_the_file_is_named(tmp_path):
    """A variable of the process hides the one in `.env`; an error says which it was."""
    env = environment(tmp_path, "TRIAL_DAYS=7\nCONN_MAX_AGE=soon\n", TRIAL_DAYS="9")
    assert env.integer("TRIAL_DAYS", default=60) == 9
    with pytest.raises(ImproperlyConfigured) as error:
        env.integer("CONN_MAX_AGE", default=60)
    assert str(error.value) == (
        f"CONN_MAX_AGE 'soon' (from {tmp_path}/.env) is not valid: use a whole number from 0 up."
    )


@pytest.mark.parametrize("text", ["-1", "1.5", "ten", "1_0", "٣", "1e3", "99999999999"])
def test_integers_are_whole_and_not_negative(tmp_path, text):
    """What is no whole number from 0 up is refused."""
    with pytest.raises(ImproperlyConfigured, match="use a whole number from 0 up"):
        environment(tmp_path, TRIAL_DAYS=text).integer("TRIAL_DAYS", default=60)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("YES", True), (" on ", True), ("off", False), ("", None)],
)
def test_booleans_are_what_people_write(tmp_path, text, value):
    """The usual spellings work; an empty value is the default."""
    env = environment(tmp_path, DEBUG=text)
    assert env.boolean("DEBUG", default=False) is bool(value)
    assert env.boolean("DEBUG", default=True) is (value is not False)


def test_text_is_taken_as_it_stands(tmp_path):
    """A key that begins with $ is a key, not the name of another variable."""
    assert environment(tmp_path, "SECRET_KEY=$ecret#1\n").text("SECRET_KEY") == "$ecret#1"


def test_words_are_a_comma_separated_list(tmp_path):
    """Spaces around the words and empty words are dropped."""
    env = environment(tmp_path, ALLOWED_HOSTS=" a.example, b.example ,")
    assert env.words("ALLOWED_HOSTS") == ["a.example", "b.example"]


def test_bad_line_in_the_file_is_named_and_not_shown(tmp_path):
    """A line that is no NAME=value stops with its number; what stands in it may be a secret."""
    with pytest.raises(ImproperlyConfigured) as error:
        environment(tmp_path, "# fine\n\nSECRET KEY=hunter2\n")
    assert str(error.value) == f"{tmp_path}/.env, line 3: write NAME=value, or begin with #."


def test_the_file_is_not_handed_to_children(tmp_path):
    """Reading `.env` leaves os.environ as it was."""
    environment(tmp_path, "RUNBOOK_CANARY=1\n")
    assert "RUNBOOK_CANARY" not in os.environ


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///var/a b.sqlite3", ("sqlite3", "/repo/var/a b.sqlite3", "", "")),
        ("sqlite:////data/x.sqlite3", ("sqlite3", "/data/x.sqlite3", "", "")),
        ("sqlite://:memory:", ("sqlite3", ":memory:", "", "")),
        ("postgresql://me:pw@db:5433/app", ("postgresql", "app", "db", 5433)),
        ("postgresql://me@/app?host=/run/pg", ("postgresql", "app", "/run/pg", "")),
        ("mysql://me:pw@db/app", ("mysql", "app", "db", "")),
    ],
)
def test_database_urls(tmp_path, url, expected):
    """URLs become Django's settings; SQLite paths hang on the root, sockets are hosts."""
    values = environment(tmp_path, DATABASE_URL=url).database("DATABASE_URL", root=Path("/repo"))
    engine = values["ENGINE"].removeprefix("django.db.backends.")
    place = (values.get("HOST", ""), values.get("PORT", ""))
    assert (engine, values["NAME"], *place) == expected


@pytest.mark.parametrize("url", ["hunter2", "http://hunter2/x", "postgresql://u:hunter2@db:p/x"])
def test_bad_database_url_is_refused_without_being_shown(tmp_path, url):
    """A URL may hold a password, so the error names the variable alone."""
    with pytest.raises(ImproperlyConfigured) as error:
        environment(tmp_path, DATABASE_URL=url).database("DATABASE_URL", root=Path("/"))
    assert str(error.value) == (
        "DATABASE_URL (from the environment) is not valid: "
        "use one of postgres://, sqlite://, mysql:// followed by host and name."
    )


def test_page_lists_every_variable():
    """The table of docs/settings.md names exactly the variables that the settings read."""
    settings = (ROOT / "backend/project/settings.py").read_text("utf-8")
    read = set(re.findall(r"env\.\w+\(\s*\"(\w+)\"", settings)) | {"ENV_FILE"}
    table = (ROOT / "docs/settings.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == read
