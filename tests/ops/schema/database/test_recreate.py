"""Whether a database could be made again is asked of the server, before anything is dropped."""

import os
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from django_runbook.schema.database.recreate import cannot_recreate
from tests.engines import server_settings, server_url
from tests.ops.schema.database.saving import default


def as_role(name, *statements):
    """Make a role and return ``default`` as that role sees it."""
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}")
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def role():
    """Return the name of a role that is gone afterwards."""
    yield "little_one"
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute("REASSIGN OWNED BY little_one TO CURRENT_USER")
        connection.execute("DROP ROLE little_one")


def databases():
    """Return the databases of the server."""
    with psycopg.connect(server_url()) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def as_user(url, role):
    """Return the URL with another user."""
    user, password = (server_settings(url)[key] for key in ("USER", "PASSWORD"))
    return url.replace(f"{user}:{password}@" if password else f"{user}@", f"{role}:x@")


@pytest.mark.engines("postgresql", "sqlite")
def test_a_database_that_can_be_made_again(database):
    """There is no reason, and nothing is left of the trial."""
    assert cannot_recreate("default") is None
    assert not [name for name in databases() if name.startswith("runbook_scratch_")]
    assert database.groups == ["before"]


@pytest.mark.engines("postgresql")
def test_a_role_that_may_not(empty_database_url, role, engine, django_db_blocker):
    """Who owns nothing may not drop it; who owns it may not make it again without CREATEDB."""
    name = server_settings(empty_database_url)["NAME"]
    as_role(role)
    owner = server_settings(server_url())["USER"]
    url = as_user(empty_database_url, role)
    with django_db_blocker.unblock(), default(url):
        said = cannot_recreate("default")
        assert said == f"{name} belongs to {owner}, and little_one may not drop it."
        with psycopg.connect(server_url(), autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO {role}')
        assert cannot_recreate("default") == (
            "little_one could not create it again: permission denied to create database. "
            "Let a superuser run: ALTER ROLE little_one CREATEDB."
        )
        with psycopg.connect(server_url(), autocommit=True) as connection:
            connection.execute("ALTER ROLE little_one CREATEDB")
        assert cannot_recreate("default") is None


@pytest.mark.engines("postgresql")
def test_a_server_that_does_not_answer(database):
    """That is a reason as well, and no traceback."""
    connections["default"].settings_dict.update(HOST="127.0.0.1", PORT="1", USER="x")
    said = cannot_recreate("default")
    assert said is not None
    assert said.startswith("template1 cannot be asked whether it could be made again: ")
    assert "\n" not in said


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (":memory:", None),
        ("{folder}/new.sqlite3", None),
        (
            "{folder}/nowhere/new.sqlite3",
            "No file can be made in {folder}/nowhere: No such file or directory.",
        ),
        (
            "file:{folder}/x?mode=rwc",
            (
                "file:{folder}/x?mode=rwc is an address and no path, which reset_db would leave as "
                "it is."
            ),
        ),
    ],
)
def test_a_file_and_its_folder(database, tmp_path, name, reason):
    """A folder in which no file can be made is named, and none is left in one where it can."""
    connections["default"].settings_dict["NAME"] = name.format(folder=tmp_path)
    said = cannot_recreate("default")
    assert said == (reason and reason.format(folder=tmp_path))
    assert [path.name for path in Path(tmp_path).iterdir()] == []


@pytest.mark.engines("sqlite")
def test_a_folder_that_only_another_may_write(database, tmp_path):
    """Rights count as they are for whoever asks."""
    tmp_path.chmod(0o555)
    connections["default"].settings_dict["NAME"] = str(tmp_path / "new.sqlite3")
    read, write = os.pipe()
    child = os.fork()
    if not child:  # root may write everywhere
        if not os.getuid():
            os.setuid(65534)
        os.write(write, str(cannot_recreate("default")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 999).decode() == f"No file can be made in {tmp_path}: Permission denied."
