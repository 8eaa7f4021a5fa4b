"""What an environment has applied: asked of its database, or read from a list made there."""

import datetime
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.utils import load_backend
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.config import of_settings
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.squash.finish import environments
from django_runbook.schema.squash.finish.environments import Environment, asked, export, listed
from tests.commands import ROOT

NOW = datetime.datetime(2026, 5, 4, 12, 0, tzinfo=datetime.UTC)
AGAIN = "Make it again there: manage.py applied_migrations --json > staging.json"
LIST = {
    "format": 1,
    "created": "2026-05-03T12:00:00+00:00",
    "environment": "staging",
    "alias": "default",
    "engine": "postgresql",
    "database": "app",
    "migrations": ["users.0001_initial", "users.0002.more"],
    "tables": ["users_user"],
}


@pytest.mark.django_db
def test_list_says_what_is_recorded(engine: str) -> None:
    """Every recorded migration and every table, and when it was; the JSON can be read elsewhere."""
    out = StringIO()
    call_command("applied_migrations", "--json", stdout=out)
    made = json.loads(out.getvalue())
    recorded = {"users.0001_initial", "users.0003_profile", "accounts.0001_initial"}
    assert recorded <= set(made["migrations"])
    assert made["migrations"] == sorted(made["migrations"])
    assert {"users_user", "django_migrations"} <= set(made["tables"])
    assert (made["format"], made["engine"], made["alias"]) == (1, engine, "default")
    assert made["environment"] == "test"
    assert datetime.datetime.fromisoformat(made["created"]).utcoffset() == datetime.timedelta()


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_list_for_a_person() -> None:
    """A line for each migration, and how many there are."""
    out = StringIO()
    call_command("applied_migrations", stdout=out)
    *names, last = out.getvalue().splitlines()
    assert names == sorted(names)
    assert "users.0003_profile" in names
    assert last.startswith(f"{len(names)} migration(s) recorded in ")


def test_absent_file_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting to an SQLite file would make it."""
    file = tmp_path / "absent.sqlite3"
    values = {**connections.settings["default"], "NAME": str(file)}
    made = load_backend("django.db.backends.sqlite3").DatabaseWrapper(values, "default")
    monkeypatch.setattr(connections._connections, "default", made)
    with pytest.raises(CommandError) as error:
        call_command("applied_migrations")
    assert str(error.value) == f"{file} does not exist. Run 'inv db.migrate' first."
    assert not file.exists()


@pytest.fixture
def recorded_url(empty_database_url: str, scratch_server: None) -> str:
    """Return the URL of a database in which one migration is recorded."""
    values = environments._values(empty_database_url, Path("/"))
    assert values
    values["NAME"] = values["NAME"].removeprefix("file://").removesuffix("?mode=ro")
    made = load_backend(values["ENGINE"]).DatabaseWrapper(values, "made")
    with made.cursor() as cursor:
        cursor.execute("CREATE TABLE django_migrations (app varchar(9), name varchar(9))")
        cursor.execute("INSERT INTO django_migrations VALUES ('users', '0001_a')")
    made.close()
    return empty_database_url


def test_database_is_asked(
    recorded_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its URL, which an environment variable holds, on each engine."""
    monkeypatch.setenv("STAGING_URL", recorded_url)
    assert asked("staging", "STAGING_URL", root=tmp_path) == Environment(
        name="staging",
        source="STAGING_URL",
        applied=frozenset({("users", "0001_a")}),
        tables=frozenset({"django_migrations"}),
    )


@pytest.mark.usefixtures("scratch_server")
def test_empty_database_has_nothing(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a record nothing is applied, and no table is made by asking."""
    if empty_database_url.startswith("sqlite"):
        Path(empty_database_url.removeprefix("sqlite:///")).touch()
    monkeypatch.setenv("STAGING_URL", empty_database_url)
    for _ in range(2):
        found = asked("staging", "STAGING_URL", root=tmp_path)
        assert (found.applied, found.tables) == (frozenset(), frozenset())


def test_database_is_only_read(
    recorded_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What would write is refused by the database itself."""
    monkeypatch.setenv("STAGING_URL", recorded_url)
    monkeypatch.setattr(
        "django.db.backends.base.introspection.BaseDatabaseIntrospection.table_names",
        lambda _, cursor: cursor.execute("DELETE FROM django_migrations"),
    )
    with pytest.raises(MigrationsError, match=r"^staging: .*(readonly|read-only)"):
        asked("staging", "STAGING_URL", root=tmp_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "staging: STAGING_URL is not set. Set it, {otherwise}."),
        ("s3cret", "{bad}"),
        ("://me:s3cret@db/app", "{bad}"),
        ("nosql://me:s3cret@db/app", "{bad}"),
        ("postgresql://me:s3cret@db", "{bad}"),
        ("postgresql://me:s3cret@db:x/app", "{bad}"),
        (
            "sqlite:///absent.sqlite3",
            (
                "staging: the database of STAGING_URL says: unable to open database file. "
                "Mend that, {otherwise}."
            ),
        ),
    ],
)
@pytest.mark.usefixtures("scratch_server")
def test_bad_url_is_one_line_without_it(
    url: str | None, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The variable and the way out; the URL, which is a secret, is never repeated."""
    otherwise = "or add --applied staging=FILE, made there by 'manage.py applied_migrations --json'"
    bad = (
        "staging: STAGING_URL is not a URL of postgresql://, mysql:// or sqlite:// with a name. "
        f"Mend it, {otherwise}."
    )
    monkeypatch.delenv("STAGING_URL", raising=False)
    if url:
        monkeypatch.setenv("STAGING_URL", url)
    with pytest.raises(MigrationsError) as error:
        asked("staging", "STAGING_URL", root=tmp_path)
    assert str(error.value) == message.format(otherwise=otherwise, bad=bad)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("scratch_server")
def test_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its own words in one line, and never the password."""
    monkeypatch.setenv("STAGING_URL", "postgresql://me:s3cret@127.0.0.1:1/app")
    with pytest.raises(MigrationsError) as error:
        asked("staging", "STAGING_URL", root=tmp_path)
    said = str(error.value)
    assert said.startswith("staging: the database of STAGING_URL says: connection failed: ")
    assert said.endswith("made there by 'manage.py applied_migrations --json'.")
    assert "s3cret" not in said
    assert "\n" not in said


def test_list_is_read(tmp_path: Path) -> None:
    """A list of that environment, not older than a week."""
    file = tmp_path / "staging.json"
    file.write_text(json.dumps(LIST))
    applied = frozenset({("users", "0001_initial"), ("users", "0002.more")})
    for name in ("staging", "staging_archive", "staging-eu"):
        assert listed(name, file, now=NOW) == Environment(
            name=name, source="staging.json", applied=applied, tables=frozenset({"users_user"})
        )


@pytest.mark.django_db
@pytest.mark.engines("sqlite")
def test_what_is_exported_is_read(tmp_path: Path) -> None:
    """There and back nothing is lost."""
    made = export("default", now=NOW)
    file = tmp_path / "test.json"
    file.write_text(made.to_json())
    read = listed("test", file, now=NOW)
    assert {".".join(key) for key in read.applied} == set(made.migrations)
    assert read.tables == set(made.tables)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "has format 2, not 1."),
        ({"environment": "production"}, "is a list of 'production'."),
        ({"environment": "stag"}, "is a list of 'stag'."),
        (
            {"created": "2026-04-27T11:59:00+00:00"},
            "is of 2026-04-27 11:59 UTC, and may be 7 days old at most.",
        ),
        (
            {"created": "2026-05-04T12:06:00+00:00"},
            "is of 2026-05-04 12:06 UTC, and may be 7 days old at most.",
        ),
        ({"created": "2026-05-03T12:00:00"}, "is no list of migrations."),
        ({"created": "yesterday"}, "is no list of migrations."),
        ({"migrations": None}, "is no list of migrations."),
        ({"tables": "users_user"}, "is no list of migrations."),
        ({"more": 1}, "is no list of migrations."),
    ],
)
def test_list_that_does_not_serve(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """Old, of another environment, or no list: each says so, and how to make it again."""
    file = tmp_path / "staging.json"
    file.write_text(json.dumps({**LIST, **change}))
    with pytest.raises(MigrationsError) as error:
        listed("staging", file, now=NOW)
    assert str(error.value) == f"staging: {file} {message} {AGAIN}"


def test_configuration_is_that_of_the_settings() -> None:
    """The pyproject.toml above the settings, wherever the command is started."""
    found = of_settings()
    assert found is not None
    assert found.root == ROOT


def test_list_that_is_not_there(tmp_path: Path) -> None:
    """The file, the reason, and how to make it."""
    file = tmp_path / "staging.json"
    with pytest.raises(MigrationsError) as error:
        listed("staging", file, now=NOW)
    said = f"staging: {file} cannot be read: No such file or directory. {AGAIN}"
    assert str(error.value) == said


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([*LIST, "more"]) | st.none(), values)
def test_any_json_is_a_list_or_one_line(tmp_path: Path, key: str | None, value: object) -> None:
    """Nothing that a file can hold ends in a traceback."""
    file = tmp_path / "staging.json"
    file.write_text(json.dumps(value if key is None else {**LIST, key: value}))
    try:
        listed("staging", file, now=NOW)
    except MigrationsError as error:
        assert str(error).startswith(f"staging: {file} ")  # noqa: PT017  # either way is right
