"""What the guard asks, and what it lets pass unasked."""

import contextlib

import pexpect
import pytest

from tests.ops.schema.guard.arena import connect

INSERT = (
    "INSERT INTO users_user (username, password, first_name, last_name, email, is_superuser, "
    "is_staff, is_active, date_joined) "
    "VALUES (?, '!', '', '', '', false, false, true, '2026-01-01')"
)


def users(url: str) -> int:
    """Return how many users the database holds."""
    with contextlib.closing(connect(url)) as connection:
        return int(connection.execute("SELECT count(*) FROM users_user").fetchone()[0])


@pytest.fixture
def filled_url(database_url):
    """Return the URL of a database with five users."""
    with contextlib.closing(connect(database_url)) as connection:
        for name in "abcde":
            connection.execute(INSERT.replace("?", f"'{name}'"))
        connection.commit()
    return database_url


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_typing_the_name_goes_on_and_anything_else_does_not(commands, filled_url):
    """In a terminal the question is asked, with the target on the screen."""
    name = filled_url.partition("?")[0].rpartition("/")[2]
    for answer, code in (("no", 3), (name, 0)):
        terminal = commands.terminal("db.flush", DATABASE_URL=filled_url, ENVIRONMENT="production")
        terminal.expect_exact("Delete every row of: production postgresql postgres@")
        terminal.expect_exact(
            "This is a protected target (settings.ENVIRONMENT is production). "
            f"Type {name} to go on: "
        )
        terminal.sendline(answer)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == code
        assert users(filled_url) == (5 if code else 0)


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_local_target_asks_for_nothing(commands, filled_url):
    """A file or a socket of this machine is emptied at once, and is shown."""
    done = commands.inv("db.flush", DATABASE_URL=filled_url)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("Delete every row of: local ")
    assert users(filled_url) == 0


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_going_forward_is_asked_for_where_there_is_something_to_do(commands, empty_database_url):
    """Nothing is applied to a protected target unasked; a look at the plan is free."""
    env = {"DATABASE_URL": empty_database_url, "ENVIRONMENT": "production"}
    refused = commands.inv("db.migrate", "contenttypes", "--lock-timeout", "1", **env)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith("Apply contenttypes.0001_initial and 1 more: production sqlite /")
    assert commands.inv("db.migrate", "contenttypes", "--plan", **env).code == 0
    name = empty_database_url.rpartition("/")[2]
    assert commands.inv("db.migrate", "contenttypes", "--confirm", name, **env).code == 0
    again = commands.inv("db.migrate", "contenttypes", **env)
    assert (again.code, again.err) == (0, "")


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_recording_without_running_is_told_so(commands, empty_database_url):
    """--fake is guarded in words of its own, in both directions."""
    env = {"DATABASE_URL": empty_database_url, "ENVIRONMENT": "production"}
    refused = commands.inv("db.migrate", "contenttypes", "--fake", **env)
    assert refused.code == 3
    assert refused.err.startswith(
        "Record as applied, without running, contenttypes.0001_initial and 1 more: production"
    )


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_dry_asks_nothing_and_does_nothing(commands, filled_url):
    """--dry shows the line that would run, with the answer that was given."""
    argv = ("--dry", "db.flush", "--confirm=app")
    done = commands.inv(*argv, DATABASE_URL=filled_url, ENVIRONMENT="production")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("manage.py flush --no-input --confirm=app\n")
    assert users(filled_url) == 5
