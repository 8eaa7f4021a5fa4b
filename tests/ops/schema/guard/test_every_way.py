"""Whatever destroys, however it is started: a protected database is as it was before."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ops.schema.guard.arena import COMMANDS, ONE_ALIAS, TASKS_OF, WAYS, Arena, made

#: As a person, a chart and a tired operator write it. None: nobody says it, and DEBUG is off.
PROTECTED = ("production", " Production\t", "prod", "LIVE", "staging", "nonsense", "", None)
#: Commands that PostgreSQL or SQLite alone has.
ENGINE = {"reset_schema": "postgresql"}


@pytest.fixture
def arena(tmp_path, engine, scratch) -> Arena:
    """Return a project with two databases."""
    return made(tmp_path, engine, scratch)


def refused(arena: Arena, command: str, way: str, alias: str, environment: str | None) -> None:
    """Hold that it is refused, with the name of that alias's database, and changes nothing."""
    before = arena.state()
    done = arena.start(command, way, alias, ENVIRONMENT=environment)
    assert arena.state() == before, done
    assert done.code == 3, done
    name = arena.urls[alias].partition("?")[0].rpartition("/")[2]
    lines = [line for line in done.err.splitlines() if "Refused:" in line]
    assert lines[0].endswith(f"and there is no terminal. Add --confirm {name}."), done


@pytest.mark.slow
@given(data=st.data())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_destroys_a_protected_database_unasked(arena, engine, data):
    """Any command, any way, any alias, any protected environment: exit code 3, nothing touched."""
    commands = [name for name in COMMANDS if ENGINE.get(name, engine) == engine]
    command = data.draw(st.sampled_from(commands), "command")
    ways = [way for way in WAYS if way != "task" or command in TASKS_OF]
    way = data.draw(st.sampled_from(ways), "way")
    aliases = ["default"] if command in ONE_ALIAS else ["default", "other"]
    alias = data.draw(st.sampled_from(aliases), "alias")
    environment = data.draw(st.sampled_from(PROTECTED), "environment")
    refused(arena, command, way, alias, environment)


@pytest.mark.slow
def test_each_command_is_refused_once(arena, engine):
    """Every command of the list, by plain manage.py."""
    for command in COMMANDS:
        if ENGINE.get(command, engine) == engine:
            refused(arena, command, "manage.py", "default", "production")


@pytest.mark.slow
def test_sqlflush_into_a_shell_changes_nothing(arena, engine):
    """A pipe into the shell meets a session that only reads, and is told that it has failed."""
    before = arena.state()
    sql = arena.manage("sqlflush", ENVIRONMENT="production").out
    assert "DELETE FROM" in sql or "TRUNCATE" in sql
    shell = ("dbshell",)
    done = arena.run(*arena_python(arena), *shell, stdin=sql, ENVIRONMENT="production", DEBUG=None)
    assert arena.state() == before, done
    assert done.code == {"postgresql": 3, "sqlite": 1}[engine], done
    assert done.err.startswith("Read-only shell (--write allows more): production ")


@pytest.mark.slow
def test_confirmation_is_the_name_of_that_alias(arena, engine):
    """The default's name does not open the other database; its own does, and that one alone."""
    names = {alias: url.partition("?")[0].rpartition("/")[2] for alias, url in arena.urls.items()}
    before = arena.state()
    argv = ("flush", "--no-input", "--database=other")
    wrong = arena.manage(*argv, f"--confirm={names['default']}", ENVIRONMENT="production")
    assert (wrong.code, arena.state()) == (3, before)
    right = arena.manage(*argv, f"--confirm={names['other']}", ENVIRONMENT="production")
    assert right.code == 0, right
    after = arena.state()
    assert (after["default"], after["other"]["auth_user"]) == (before["default"], [])


def arena_python(arena: Arena) -> list[str]:
    """Return how its manage.py is started."""
    import sys

    return [sys.executable, str(arena.root / "manage.py")]
