"""A restore leaves no privilege that the file does not have, and brings back the others."""

import contextlib
import subprocess

import psycopg
import pytest

from django_runbook.schema.database.dumps.postgresql import _pg_dump
from tests.engines import server_settings, server_url
from tests.ops.schema.database.saving import Database, default, manage

#: What default privileges are for, and a privilege on each.
KINDS = {
    "TABLES": "SELECT",
    "SEQUENCES": "UPDATE",
    "FUNCTIONS": "EXECUTE",
    "TYPES": "USAGE",
    "SCHEMAS": "CREATE",
    "LARGE OBJECTS": "SELECT",
}
EVERYWHERE = ("SCHEMAS", "LARGE OBJECTS")  # lie in no schema
GLOBAL = "ALTER DEFAULT PRIVILEGES {} ON {} {}"
IN_PUBLIC = "ALTER DEFAULT PRIVILEGES IN SCHEMA public {} ON {} {}"
ENTRIES = "SELECT count(*) FROM pg_default_acl"


@pytest.fixture
def role(database):
    """Yield a role, by a name that must be quoted, and drop it."""
    name = f'"{database.name} 100%s"'
    database.run(f"CREATE ROLE {name}")
    yield name
    database.run(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def kinds(database):
    """Return the kinds that the server has: large objects from PostgreSQL 18 up."""
    known = database.run("SELECT current_setting('server_version_num')::int >= 180000") == [True]
    return {kind: one for kind, one in KINDS.items() if known or kind != "LARGE OBJECTS"}


def privileges(database):
    """Return what pg_dump writes of privileges, the default ones among them."""
    argv = [_pg_dump(18), "--schema-only", "--no-owner", database.url]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    words = ("GRANT ", "REVOKE ", "ALTER DEFAULT ")
    return [line for line in text.splitlines() if line.startswith(words)]


def grant(database, role):
    """Grant and revoke what there is to grant: for what is made later, and on the schema public."""
    for kind, privilege in kinds(database).items():
        database.run(GLOBAL.format(f"GRANT {privilege}", kind, f"TO {role} WITH GRANT OPTION"))
        database.run(GLOBAL.format("REVOKE ALL", kind, "FROM CURRENT_USER"))
        if kind not in EVERYWHERE:
            database.run(IN_PUBLIC.format(f"GRANT {privilege}", kind, f"TO {role}"))
            database.run(GLOBAL.format("REVOKE ALL", kind, "FROM PUBLIC"))
    database.run(
        f"GRANT CREATE ON SCHEMA public TO {role} WITH GRANT OPTION",
        f"SET ROLE {role}",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "RESET ROLE",
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
    )


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_privileges_that_the_file_does_not_have_are_gone(database, role, tmp_path):
    """The server's own defaults count again, also for what the restore itself has made."""
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    grant(database, role)
    assert database.run(ENTRIES) == [len(kinds(database)) + 4]
    assert manage("restore", tmp_path / "saved")[0] == 0
    assert privileges(database) == []
    assert database.run(ENTRIES) == [0]
    granted = "SELECT count(*) FROM pg_class WHERE relacl IS NOT NULL AND oid >= 16384"
    assert database.run(granted) == [0]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_privileges_of_the_file_are_there_again(database, role, tmp_path):
    """They are those of the file: neither more nor fewer, whatever the database had meanwhile."""
    grant(database, role)
    before = privileges(database)
    assert len(before) > 15
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    for kind in kinds(database):
        database.run(GLOBAL.format("GRANT ALL", kind, "TO PUBLIC"))
        database.run(GLOBAL.format("REVOKE ALL", kind, f"FROM {role}"))
    for _ in range(2):
        assert manage("restore", tmp_path / "saved")[0] == 0
        assert privileges(database) == before


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_without_privileges_those_of_the_database_stay(database, role, tmp_path):
    """--no-privileges leaves grants out: those for what is made later stay as they are."""
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    grant(database, role)
    assert manage("restore", tmp_path / "saved", "--no-privileges")[0] == 0
    assert database.run(ENTRIES) == [len(kinds(database)) + 4]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_default_privileges_of_another_role(database, tmp_path):
    """Whoever may not take them away is told what to do, and nothing has changed."""
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    name = f"{database.name}_owned"
    superuser = server_settings(server_url())["USER"]
    url = server_url(name).replace(f"//{superuser}", f"//{name}", 1)
    owned = Database(url, "postgresql")
    with contextlib.closing(psycopg.connect(server_url(), autocommit=True)) as server:
        server.execute(f"CREATE ROLE {name} LOGIN")
        server.execute(f"CREATE DATABASE {name} OWNER {name}")
        try:
            with default(url):
                assert manage("restore", tmp_path / "saved")[0] == 0
                owned.add("after")
                with psycopg.connect(server_url(name)) as connection:
                    connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
                code, said = manage("restore", tmp_path / "saved")
                reason, _, step = said.partition(". ")
                assert code == 1
                assert reason in {
                    "psql failed: permission denied to change default privileges",
                    f'psql failed: must be member of role "{superuser}"',  # PostgreSQL before 16
                }
                assert step == (
                    "Nothing was changed: restore as a superuser, or add --no-privileges to leave "
                    "grants as they are."
                )
                assert owned.groups == ["after", "before"]
                assert manage("restore", tmp_path / "saved", "--no-privileges")[0] == 0
                assert owned.groups == ["before"]
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            server.execute(f"DROP ROLE {name}")
