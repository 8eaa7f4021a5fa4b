"""A misspelt SQLite path is no such file: no command but migrate and its like makes a database."""

import shlex
import threading

import pytest
from django.db import connections

from django_runbook.schema.database import files
from django_runbook.schema.database.files import NoSuchFileError, guard_files, require_file

#: Commands that need the database, of the kit, of the product, and of Django.
NEED = (
    "account_summary",
    "createsuperuser --noinput --username=x --email=x@example.com",
    "dbshell",
    "dbshell --read-only",
    "expire_trials",
    "inspectdb",
    "job_history",
    "job_status",
    "run_job clearsessions",
    "shell --no-imports -c 'from users.models import User; User.objects.count()'",
    "showmigrations",
    "sqlmigrate users 0001",
    "undo_run 1",
)
#: Commands that say it in words of their own, and those that do without a database.
OTHERS = (
    ("backup", 1),
    ("check", 0),
    ("diagnose", 0),
    ("makemigrations --check", 0),
    ("schema_drift", 1),
    ("table_sizes", 1),
    ("target", 0),
    ("wait_for_database", 0),
)


@pytest.mark.slow
@pytest.mark.parametrize("command", NEED)
def test_command_that_needs_the_database(commands, tmp_path, command):
    """It ends in one line with the path, exit code 1, and there is still no file."""
    file = tmp_path / "mispelt.sqlite3"
    done = commands.manage(*shlex.split(command), DATABASE_URL=f"sqlite:///{file}")
    lines = [
        line for line in done.err.splitlines() if "hell: " not in line and "sqlite " not in line
    ]
    assert (done.code, len(lines)) == (1, 1), done
    assert lines[0].partition(": ")[2] == (
        f"{file}: no such file. Check the path in DATABASE_URL or DATABASES; "
        "'inv db.migrate' makes a new database."
    )
    assert not file.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "code"), OTHERS)
def test_command_that_makes_none(commands, tmp_path, command, code):
    """Whatever it says, no file is made, and nothing is warned of."""
    file = tmp_path / "mispelt.sqlite3"
    done = commands.manage(*command.split(), DATABASE_URL=f"sqlite:///{file}")
    assert done.code == code, done
    assert "Warning" not in done.err
    assert not file.exists()


@pytest.mark.slow
def test_migrate_makes_the_file(commands, tmp_path):
    """And with it the folder's only database; every command works then."""
    file = tmp_path / "new.sqlite3"
    url = f"sqlite:///{file}"
    assert commands.manage("migrate", "--verbosity=0", DATABASE_URL=url).code == 0
    assert commands.manage("account_summary", DATABASE_URL=url).code == 0


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("{}/x", True),
        ("{}/there", False),
        ("file:{}/x", True),
        ("file:{}/x?mode=rwc", True),
        ("file:{}/x%20y?cache=shared", True),
        ("file:{}/there?mode=rwc", False),
        ("file:{}/x?mode=ro", False),  # SQLite itself says it
        ("file:x?mode=memory&cache=shared", False),
        (":memory:", False),
    ],
)
def test_names_of_files(database, tmp_path, name, made):
    """Every form of a path that SQLite would make a file of is one; no other is."""
    (tmp_path / "there").touch()
    connection = connections["default"]
    connection.settings_dict["NAME"] = name.format(tmp_path)
    if not made:
        require_file(connection)
        return
    with pytest.raises(NoSuchFileError) as refused:
        require_file(connection)
    assert refused.value.returncode == 1


@pytest.fixture
def process(monkeypatch):
    """Return what guards the files as in a process with this command line, for this test alone."""
    monkeypatch.setattr(connections, "create_connection", connections.create_connection)

    def start(*words):
        monkeypatch.setattr(files.sys, "argv", ["manage.py", *words])
        guard_files()

    return start


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (("showmigrations",), True),
        (("migrate", "users"), False),
        (("restore", "x"), False),
        (("test",), False),
        (("testserver",), False),
        (("my.wsgi:application",), False),
        ((), False),
    ],
)
def test_processes(empty, tmp_path, process, words, refused):
    """In a command's process each thread's connection is watched; in others none is."""
    values = {**connections.settings["default"], "NAME": str(tmp_path / "x.sqlite3")}
    connections.settings["default"] = values
    process(*words)
    found = []

    def connect():
        try:
            connections["default"].ensure_connection()
            connections["default"].close()
        except NoSuchFileError as error:
            found.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    assert bool(found) is refused
    assert (tmp_path / "x.sqlite3").exists() is not refused
