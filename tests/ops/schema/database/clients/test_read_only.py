"""A read-only shell is one: the server said so, through the same client, before it began."""

import os

import psycopg
import pytest

from django_runbook.schema.database.clients import read_only
from tests.engines import server_settings, server_url, worker
from tests.ops.schema.database.pooler import pooler

WAY = (
    "To look only, connect as a role that is read-only by itself (ALTER ROLE name SET "
    "default_transaction_read_only = on), or to the server's own address."
)
REASONS = {
    False: (
        "a pooler before the server refuses what a client asks for (unsupported startup parameter: "
        "options)."
    ),
    True: "the session can write: a pooler before the server drops what a client asks for.",
}
SHOWN = "SELECT current_setting('transaction_read_only') || current_setting('search_path')"


@pytest.fixture
def roles(empty_database_url):
    """Make a role that owns nothing, and one that is read-only by itself."""
    names = (f"only_reads_{worker()}", f"may_write_{worker()}")
    with psycopg.connect(server_url(), autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP ROLE IF EXISTS {name}")
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        connection.execute(f"ALTER ROLE {names[0]} SET default_transaction_read_only = on")
        yield names
        for name in names:
            connection.execute(f"DROP ROLE {name}")


@pytest.fixture
def look(commands, empty_database_url):
    """Return what asks one query in a read-only shell, with a URL's place and options changed."""
    values = server_settings(empty_database_url)

    def run(sql=SHOWN, *words, role="", host="", port="", query="", **env):
        owner = f"{role or values['USER']}:{'x' if role else values['PASSWORD'] or 'x'}"
        there = host or str(values["HOST"])
        place = f"?host={there}&port={port or values['PORT'] or 5432}{query}"
        url = f"postgresql://{owner}@/{values['NAME']}{place}"
        typed = ("--", *words) if words else ()
        return commands.manage(
            *("dbshell", "--read-only", f"--sql={sql}", *typed),
            DATABASE_URL=url,
            ENVIRONMENT="local",
            **env,
        )

    return run


def told(done):
    """Return what a command said on standard error, without the line that shows the target."""
    lines = [line for line in done.err.splitlines() if "hell: " not in line]
    return " ".join(lines)


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_settings_of_the_environment_and_of_the_application_survive(look, roles, engine):
    """PGOPTIONS, OPTIONS["options"] and what makes the session read-only are all in it."""
    done = look(
        f"{SHOWN} || current_setting('work_mem')",
        *("-At",),
        role=roles[1],
        query="&options=-c%20search_path%3Dshop&target_session_attrs=read-write",
        PGOPTIONS="-c work_mem=7MB",
    )
    assert (done.code, done.out, told(done)) == (0, "onshop7MB\n", "")
    done = look("CREATE TABLE x (i int)", role=roles[1])
    assert "cannot execute CREATE TABLE in a read-only transaction" in done.err


@pytest.mark.slow
@pytest.mark.engines("postgresql")
@pytest.mark.parametrize("ignores_options", REASONS)
def test_behind_a_pooler(look, roles, engine, ignores_options):
    """Where the option does not arrive, the shell is refused, unless the role itself only reads."""
    with pooler(ignores_options=ignores_options) as port:
        done = look(role=roles[1], host="127.0.0.1", port=port)
        said = f"CommandError: Refused: {REASONS[ignores_options]} {WAY}"
        assert (done.code, done.out, told(done)) == (3, "", said)
        done = look(SHOWN, "-At", role=roles[0], host="127.0.0.1", port=port)
        assert (done.code, done.out, told(done)) == (0, 'on"$user", public\n', "")


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_superuser_is_told(look, engine):
    """What no read-only transaction prevents stands on standard error."""
    done = look(SHOWN, "-At")
    user = server_settings(server_url())["USER"]
    assert (done.code, done.out) == (0, 'on"$user", public\n')
    assert told(done) == (
        f"{user} is a superuser, whom a read-only session keeps from neither COPY TO PROGRAM nor "
        "ALTER SYSTEM nor VACUUM: a role with pg_read_all_data is enough to look."
    )


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_words_that_say_where_to_go_are_asked_too(look, roles, engine):
    """Who types another role is judged as that role."""
    done = look(f"SELECT current_user || ' ' || ({SHOWN})", "-At", "-U", roles[1])
    assert (done.code, told(done)) == (0, ""), done.err
    assert done.out == f'{roles[1]} on"$user", public\n'


@pytest.mark.slow
@pytest.mark.engines("postgresql")
@pytest.mark.parametrize("variable", [True, False])
def test_settings_of_a_service_survive(look, roles, engine, tmp_path, variable):
    """libpq reads a service's file before its variables, so the shell says all by itself."""
    file = tmp_path / "services"
    file.write_text("[mine]\noptions=-c search_path=theirs\n")
    service = {"PGSERVICE": "mine"} if variable else {}
    query = "" if variable else "&service=mine"
    env = {"PGSERVICEFILE": str(file), **service}
    done = look(SHOWN, "-At", role=roles[1], query=query, **env)
    assert (done.code, done.out, told(done)) == (0, "ontheirs\n", "")


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_server_that_does_not_answer(look, engine):
    """That is a failure in one line, and no refusal."""
    done = look(host="127.0.0.1", port=1)
    assert done.code == 1
    assert told(done).endswith('at "127.0.0.1", port 1 failed: Connection refused.')
    assert "\n" not in done.err.strip().partition("CommandError")[2]


@pytest.mark.parametrize(
    ("variable", "value", "grant", "session"),
    [
        ("tx_read_only", "ON", "GRANT USAGE ON *.* TO `a`@`%`", (True, "a@%", "")),
        ("transaction_read_only", "OFF", "GRANT SELECT ON *.* TO `a`@`%`", (False, "a@%", "")),
        ("tx_read_only", "ON", "GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", (True, "a@%", "server")),
        ("tx_read_only", "ON", "GRANT ALL PRIVILEGES ON `app`.* TO `a`@`%`", (True, "a@%", "")),
        ("tx_read_only", "ON", "GRANT SELECT, FILE ON *.* TO `a`@`%`", (True, "a@%", "server")),
    ],
)
def test_answer_of_mysql(variable, value, grant, session):
    """MariaDB's and MySQL's variable, and the rights that no transaction holds back."""
    told = f"noise\n{read_only.MARK}\ta@%\n{variable}\t{value}\n{grant}\n"
    assert read_only._session("mysql", told) == read_only._Session(*session)


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_sqlite_opens_the_file_without_the_right_to_write(commands, database_url, engine):
    """Its shell takes no other session, so there is nobody to ask."""
    add = "INSERT INTO auth_group (name) VALUES ('x')"
    done = commands.manage(
        *("dbshell", "--read-only", f"--sql={add}"),
        DATABASE_URL=database_url,
        PATH=os.environ["PATH"],
    )
    assert done.code in {1, 8}
    assert "attempt to write a readonly database" in done.err
