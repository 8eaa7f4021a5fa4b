"""Each `db` task for real, on SQLite and on PostgreSQL."""

import sqlite3
import time

import pytest

from tests.commands import ROOT


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_show_lists_the_apps_that_were_named(commands, database_url):
    """Several apps may be named."""
    done = commands.inv("db.show", "accounts", "users", DATABASE_URL=database_url)
    assert done.out == (
        "accounts\n [X] 0001_initial\n"
        "users\n [X] 0001_initial\n [X] 0002_first_name_to_150_max\n [X] 0003_profile\n"
    )


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_sql_prints_both_ways(commands, database_url):
    """The SQL of a migration, and the SQL that undoes it."""
    done = commands.inv("db.sql", "users", "0003", DATABASE_URL=database_url)
    undo = commands.inv("db.sql", "users", "0003", "--backwards", DATABASE_URL=database_url)
    assert (done.code, undo.code) == (0, 0)
    assert 'CREATE TABLE "users_profile"' in done.out
    assert 'DROP TABLE "users_profile"' in undo.out


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_migrate_goes_forward_and_back(commands, database_url):
    """Back to a migration, and on again."""
    for argv, state in (
        (["--", "users", "0002"], "[X][X][ ]"),
        (["users", "0003"], "[X][X][X]"),
    ):
        assert commands.inv("db.migrate", *argv, DATABASE_URL=database_url).code == 0
        shown = commands.manage("showmigrations", "users", DATABASE_URL=database_url).out
        assert "".join(line[1:4] for line in shown.splitlines()[1:]) == state


NO_MIGRATION = (
    "Cannot find a migration matching '0003_profil_' from app 'users'. "
    "Is it in INSTALLED_APPS? Did you mean 0003_profile?"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["db.show", "usrs"], 2, "No installed app with label 'usrs'. Did you mean users?"),
        (
            ["db.make", "acounts"],
            2,
            "No installed app with label 'acounts'. Did you mean accounts?",
        ),
        (["db.migrate", "xyzzy"], 2, "No installed app with label 'xyzzy'."),
        (
            ["db.sql", "users", "0003_profil_"],
            1,
            NO_MIGRATION,
        ),
    ],
)
@pytest.mark.engines("sqlite")
def test_unknown_names_are_told_with_the_near_ones(commands, database_url, argv, code, message):
    """A name that does not exist is one line, with those that come near."""
    done = commands.inv(*argv, DATABASE_URL=database_url)
    assert (done.code, done.out, done.err) == (code, "", f"CommandError: {message}\n")


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_make_and_squash_take_names_and_options(commands, database_url):
    """Options and names arrive as the commands spell them."""
    made = commands.inv("db.make", "users", "--check", "--dry-run", DATABASE_URL=database_url)
    assert (made.code, made.out) == (0, "No changes detected in app 'users'\n")
    line = commands.inv("--dry", "db.make", "users", "--empty", "--name", "by hand").out
    assert line.endswith("manage.py makemigrations --empty '--name=by hand' users\n")
    line = commands.inv("--dry", "db.squash", "users", "--from", "0001", "--to", "0003").out
    assert line.endswith("manage.py squash --from=0001 --to=0003 users\n")


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_check_finds_nothing_wrong(commands, database_url):
    """On a migrated database of complete models there is one line."""
    done = commands.inv("db.check", DATABASE_URL=database_url)
    assert (done.code, done.out) == (0, "Migrations: nothing wrong\n")


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_check_names_what_is_not_applied(commands, empty_database_url):
    """Each unapplied migration is a line with its fix, and the exit code is 1."""
    done = commands.inv("db.check", DATABASE_URL=empty_database_url)
    lines = done.out.splitlines()
    assert (done.code, done.err) == (1, "CommandError: 23 finding(s) in the migrations\n")
    assert lines[0] == "contenttypes.0001_initial is not applied. Run 'inv db.migrate'."
    assert len(lines) == 23


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_wait_returns_when_the_server_answers(commands, database_url):
    """A server that answers is said so at once."""
    done = commands.inv("db.wait", DATABASE_URL=database_url)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("The database answers, after 0.")


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_wait_ends_with_the_last_error(commands, empty_database_url):
    """A server that does not answer in time is one line and exit code 1."""
    start = time.monotonic()
    done = commands.inv("db.wait", "--timeout", "1", DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    assert time.monotonic() - start < 10
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("CommandError: No answer in 1 s: connection failed")


@pytest.mark.slow
def test_reset_leaves_a_migrated_database_without_rows(commands, database_url):
    """What was in it is gone, and every migration is applied."""
    samples = ("create_sample_accounts", "--count=5")  # which wants a database without accounts
    assert commands.manage(*samples, DATABASE_URL=database_url).code == 0
    done = commands.inv("db.reset", DATABASE_URL=database_url)
    assert done.code == 0, done
    assert commands.manage(*samples, DATABASE_URL=database_url).code == 0


WRITE = {
    "sqlite": ("CREATE TABLE written (x int)", "readonly database"),
    "postgresql": ("CREATE TABLE written (x int)", "read-only transaction"),
}


@pytest.mark.slow
def test_shell_is_read_only_on_a_protected_target(commands, database_url, engine):
    """A query reads; a write fails there, and works with --write and the database's name."""
    query, message = WRITE[engine]
    protected = {"DATABASE_URL": database_url, "ENVIRONMENT": "production"}
    read = commands.inv("db.shell", "--sql", "SELECT 40 + 2", **protected)
    assert (read.code, "42" in read.out) == (0, True)
    assert read.err.startswith("Read-only shell (--write allows more): production ")
    refused = commands.inv("db.shell", "--sql", query, **protected)
    assert (refused.code != 0, message in refused.err) == (True, True)
    unnamed = commands.inv("db.shell", "--write", "--sql", query, **protected)
    assert (unnamed.code, unnamed.err[:21]) == (3, "Write to: production ")
    name = database_url.partition("?")[0].rpartition("/")[2]
    written = commands.inv("db.shell", "--write", "--confirm", name, "--sql", query, **protected)
    assert (written.code, written.err[:21]) == (0, "Write to: production ")


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_wheels_shell_is_read_only_too(commands, database_url, no_clients):
    """apsw's shell, which serves where there is no sqlite3, opens the file for reading alone."""
    env = {"DATABASE_URL": database_url, "ENVIRONMENT": "production", "PATH": no_clients}
    read = commands.inv("db.shell", "--sql", "SELECT 40 + 2", **env)
    assert (read.code, "42" in read.out) == (0, True)
    refused = commands.inv("db.shell", "--sql", "CREATE TABLE written (x int)", **env)
    assert (refused.code, "readonly database" in refused.err.lower()) == (1, True)
    with sqlite3.connect(database_url.removeprefix("sqlite:///")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE name = 'written'")
        assert names.fetchall() == []
    connection.close()


@pytest.mark.slow
@pytest.mark.engines("sqlite")
@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["dev.serve", "8001"], "runserver 8001"),
        (["dev.shell"], "shell_plus"),
        (["dev.superuser", "--", "--username", "a b"], "createsuperuser --username 'a b'"),
        (["dev.static", "--clear"], "collectstatic --no-input --clear"),
        (["dev.urls"], "show_urls"),
        (
            ["db.drift", "--ignore", "a_*", "--ignore", "b", "--strict"],
            "schema_drift --strict '--ignore=a_*' --ignore=b",
        ),
        (["db.sizes"], "table_sizes"),
        (["db.rollback-check", "users", "--since", "main"], "rollback_check --since=main users"),
        (["db.plan", "--since", "main", "--json"], "plan_migrations --since=main --json"),
        (["db.squash", "users", "--to", "0002", "--dry-run"], "squash --to=0002 --dry-run users"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_tasks_wrap_their_command(commands, database_url, argv, line):
    """Each is one command; the line is what --dry prints."""
    done = commands.inv("--dry", *argv, DATABASE_URL=database_url)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{commands.python} backend/manage.py {line}\n"
    assert (ROOT / "backend/manage.py").exists()


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_backup_and_restore_bring_the_rows_back(commands, database_url, tmp_path):
    """What a flush took away comes back, with the target on the screen."""
    env = {"DATABASE_URL": database_url}
    count = ("account_summary", "--json")
    assert commands.manage("create_sample_accounts", "--count=20", **env).code == 0
    before = commands.manage(*count, **env).out
    file = str(tmp_path / "saved")
    assert commands.inv("db.backup", f"--output={file}", **env).code == 0
    assert commands.inv("db.flush", **env).code == 0
    restored = commands.inv("db.restore", file, **env)
    assert (restored.code, restored.err.startswith(f"{file} holds ")) == (0, True)
    assert restored.err.splitlines()[1].startswith("Restore into: local ")
    assert commands.manage(*count, **env).out == before
