"""Whatever the class of what goes wrong: one line, the right exit code, and no traceback."""

import shlex
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.commands import BIN, ROOT, Commands, Done
from tests.engines import server_settings, server_url

pytestmark = pytest.mark.slow

READING = (
    ("list_jobs",),
    ("job_status",),
    ("job_history",),
    ("show_run", "1"),
    ("explain_job", "ada"),
    ("account_summary",),
)
WRITING = (("expire_trials",), ("undo_run", "1"), ("run_job", "clearsessions"))
HUGE = "9" * 23


def one_line(done: Done, code: int) -> str:
    """Return the line that is all that a command said."""
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), done
    assert "Traceback" not in done.err
    return done.err


def in_shell(commands: Commands, line: str, **extra: str | None) -> Done:
    """Run `manage.py` or `inv` as a shell does, with its redirections."""
    line = line.replace("manage.py", shlex.join([sys.executable, f"{ROOT}/backend/manage.py"]))
    return commands.run(
        "sh", "-c", line.replace("inv ", f"{shlex.quote(f'{BIN}/inv')} ", 1), **extra
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Return the URL of an SQLite database with every migration applied."""
    folder = tmp_path_factory.mktemp("migrated")
    url = f"sqlite:///{folder}/app.sqlite3"
    done = Commands(folder).manage("migrate", "--verbosity=0", DATABASE_URL=url)
    assert done.code == 0, done
    return url


@pytest.fixture
def powerless(database_url):
    """Yield the URL of a role that may connect, and nothing else."""
    name = server_settings(database_url)["NAME"]
    role = f"powerless_{name}"
    with psycopg.connect(server_url(name), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'hunter22'")
        owner = server_settings(server_url())["USER"]
        yield database_url.replace(f"//{owner}", f"//{role}:hunter22", 1)
        connection.execute(f"DROP ROLE {role}")


@pytest.mark.engines("postgresql")
def test_a_role_without_rights(commands, powerless):
    """The database's refusal is one line with what to do, for whatever reads or writes."""
    for argv in (*READING, *WRITING):
        done = commands.manage(*argv, DATABASE_URL=powerless, ENVIRONMENT="local")
        assert one_line(done, 1).startswith("Database: permission denied for table "), argv
        assert done.err.endswith(
            ". Give the role that right, or use another role in DATABASE_URL; "
            "--traceback shows more.\n"
        )
    done = commands.manage("job_history", "--traceback", DATABASE_URL=powerless)
    assert (done.code, done.err.startswith("Traceback")) == (1, True)
    assert "hunter22" not in done.err


def test_a_table_that_is_missing(commands, database_url):
    """A ledger whose tables somebody dropped: the line says how to see what is not applied."""
    drop = "from django.db import connection as c; c.cursor().execute('DROP TABLE {}')"
    cascade = " CASCADE" if database_url.startswith("postgresql") else ""
    for table in ("runbook_jobs_lease", "runbook_jobs_slot", "runbook_jobs_batch"):
        code = drop.format(table + cascade)
        done = commands.manage("shell", "--no-imports", "-c", code, DATABASE_URL=database_url)
        assert done.code == 0, done
    code = "c = __import__('django.db').db.connection.cursor(); c.execute('PRAGMA foreign_keys=0')"
    code += "; c.execute('DROP TABLE runbook_jobs_run')"
    if cascade:
        code = drop.format("runbook_jobs_run CASCADE")
    done = commands.manage("shell", "--no-imports", "-c", code, DATABASE_URL=database_url)
    assert done.code == 0, done
    for argv in (("job_history",), ("show_run", "1"), ("job_status",)):
        said = one_line(commands.manage(*argv, DATABASE_URL=database_url), 1)
        assert said.startswith("Database: ")
        assert "runbook_jobs_run" in said
        assert "'inv db.show' tells what is not applied" in said


@pytest.mark.parametrize("start", ["postgresql://u:hunter22@127.0.0.1:1/x", "sqlite"])
@pytest.mark.parametrize("argv", [("job_history",), ("expire_trials",), ("migrate",)])
def test_an_option_that_no_driver_knows(commands, url, start, argv):
    """The driver's complaint, whatever its class, names the option and where to look."""
    start = url if start == "sqlite" else start
    said = one_line(commands.manage(*argv, DATABASE_URL=f"{start}?nosuch=1"), 1)
    assert said.startswith("Database: ")
    assert "nosuch" in said
    assert "Check DATABASE_URL" in said
    assert "hunter22" not in said


BROKEN = {
    "not UTF-8": (lambda file: file.write_bytes(b"A=1\nSECRET_KEY=\xff\xfe\n"), "line 2"),
    "not to be read": (lambda file: file.symlink_to("/proc/self/mem"), "cannot be read"),
    "not a line": (lambda file: file.write_text("SECRET KEY\n"), "line 1"),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("argv", [("check",), ("expire_trials",), ("migrate",)])
def test_a_broken_env_file(commands, tmp_path, broken, argv):
    """It is named, with the line where there is one; by `inv` too."""
    file = tmp_path / "broken.env"
    make, where = BROKEN[broken]
    make(file)
    said = one_line(commands.manage(*argv, ENV_FILE=str(file)), 1)
    assert said.startswith(f"Settings: {file}")
    assert where in said
    said = one_line(commands.inv("db.show", ENV_FILE=str(file), CI="true"), 1)
    assert said.startswith(f"Settings: {file}")


@pytest.mark.parametrize("argv", [("db.show",), ("manage", "--", "x"), ("schedule.next",)])
def test_a_broken_file_of_a_repository(repository, argv):
    """`inv` names the file that is not UTF-8."""
    (repository.root / "pyproject.toml").write_bytes(b"# \xff\n")
    said = one_line(repository.inv(*argv), 1)
    assert str(repository.root / "pyproject.toml") in said


WHOLE = (
    ("show_run", "{}"),
    ("undo_run", "{}"),
    ("job_history", "--count={}"),
    ("expire_trials", "--allow={}", "--reason=x"),
    ("plan_migrations", "--rows={}"),
    ("migrate", "--lock-retries={}"),
    ("migrate", "--wait={}"),
    ("migrate", "--lock-timeout={}"),
    ("migrate", "--statement-timeout={}"),
    ("create_sample_accounts", "--count={}"),
)


@pytest.mark.parametrize("argv", WHOLE, ids=" ".join)
@pytest.mark.parametrize("number", [HUGE, "9" * 5000, "1e99", "nan", "x\x1b[2J", "٣" * 23, ""])
def test_numbers_that_no_database_holds(commands, url, argv, number):
    """They are wrong usage, in one line that is not longer than a screen."""
    done = commands.manage(*(word.format(number) for word in argv), DATABASE_URL=url)
    assert len(one_line(done, 2)) < 5200
    assert "\x1b" not in done.err


TIMES = (
    "0001-01-01T00:00Z",
    "0001-01-01T00:00+23:59",
    "9999-12-31T23:59-23:59",
    "1969-12-31T00:00Z",
)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(
    "argv",
    [
        ("expire_trials", "--as-of={}"),
        ("expire_trials", "--dry-run", "--as-of={}"),
        ("run_job", "expire_trials", "--slot={}"),
    ],
    ids=" ".join,
)
def test_times_at_the_ends_of_the_calendar(commands, url, argv, time):
    """They are wrong usage: no trial and no slot is that old or that far ahead."""
    one_line(commands.manage(*(word.format(time) for word in argv), DATABASE_URL=url), 2)


def test_a_time_that_overflows_in_the_work_itself(commands, url):
    """What nobody foresaw is one line as well, with its place."""
    done = commands.manage("expire_trials", "--dry-run", DATABASE_URL=url, TRIAL_DAYS="999999999")
    assert done.code == 1
    assert done.err.startswith("Number: a number or a time is out of range: ")
    assert "backend/accounts/" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "command", ["job_history", "list_jobs", "list_jobs --json", "target", "job_status", "help"]
)
def test_a_full_device(commands, url, command):
    """What cannot be written is said, once, with exit code 1: nobody takes it for done."""
    done = in_shell(commands, f"manage.py {command} >/dev/full", DATABASE_URL=url)
    assert one_line(done, 1).startswith("System: No space left on device (")
    done = in_shell(commands, "inv --list >/dev/full", DATABASE_URL=url)
    assert one_line(done, 1).startswith("No space left on device. Make room there")


@pytest.mark.parametrize("line", ["manage.py list_jobs", "manage.py migrate", "inv --list"])
def test_a_closed_output(commands, url, line):
    """It is said before anything is done: a database's socket could get its number."""
    done = in_shell(commands, f"{line} >&-", DATABASE_URL=url)
    assert one_line(done, 1) == (
        "Output: standard output is closed. Send it to a file, or to /dev/null.\n"
    )


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "<&-", "2>&- <&-"])
def test_the_exit_code_does_not_depend_on_who_listens(commands, url, closed):
    """A refusal, wrong usage and success keep their codes where errors cannot be written."""
    for argv, code in (
        ("list_jobs", 0),
        ("expire_trials --allow=3", 2),
        ("expire_trials --as-of=2999-01-01T00:00Z", 3),
        ("show_run 7", 1),
    ):
        done = in_shell(commands, f"manage.py {argv} {closed}", DATABASE_URL=url)
        assert done.code == code, argv


@pytest.mark.parametrize("place", ["/proc/x.md", "/dev/full", "/", "/etc/passwd/x", "/nowhere/x"])
def test_a_file_that_cannot_be_written(commands, url, place):
    """The system's reason is named with the file."""
    argv = ("plan_migrations", "--engine=sqlite", "--rows=0", f"--comment={place}")
    said = one_line(commands.manage(*argv, DATABASE_URL=url), 1)
    assert said.startswith("System: ")
    assert place in said or "No space left on device" in said


def test_traceback_shows_all_and_keeps_the_code(commands, url):
    """Whatever the class; a command's own code is kept."""
    for argv, code in (
        (("expire_trials", "--allow=3"), 2),
        (("expire_trials", "--as-of=2999-01-01T00:00Z"), 3),
        (("show_run", "7"), 1),
    ):
        done = commands.manage(*argv, "--traceback", DATABASE_URL=url)
        assert (done.code, done.err.startswith("Traceback")) == (code, True)
    done = commands.manage("job_history", "--traceback", DATABASE_URL=f"{url}?nosuch=1")
    assert (done.code, done.err.startswith("Traceback")) == (1, True)


@pytest.mark.parametrize("value", ["x", HUGE + "x", "1.5", ""])
def test_a_number_that_invoke_reads(commands, value):
    """Invoke's own options too: exit code 2."""
    said = one_line(commands.inv("demo", f"--accounts={value}"), 2)
    assert said.endswith("'inv TASK --help' tells what it takes.\n")


ERRORS = (
    "OSError(28, 'No space left on device')",
    "PermissionError(13, 'Permission denied', '/etc/shadow')",
    "UnicodeDecodeError('utf-8', b'a\\xff', 1, 2, 'invalid start byte')",
    "UnicodeEncodeError('ascii', 'a\\xe9', 1, 2, 'ordinal not in range')",
    "OverflowError('Python int too large')",
    "KeyError('x')",
    "RecursionError()",
    "MemoryError()",
    "ExceptionGroup('several', [ValueError('a')])",
    "ValueError('a\\n\\x1b[2J::set-output name=x::y')",
    "TypeError('token=hunter22 postgres://u:hunt/er@22@h/x')",
    "__import__('django.db').db.ProgrammingError('no')",
    "__import__('django.db').db.DataError('no')",
    "__import__('django.db').db.InterfaceError('no')",
    "__import__('json').JSONDecodeError('no', 'x', 0)",
)


@pytest.mark.parametrize("error", ERRORS)
def test_every_class_of_error_is_one_line(commands, url, error):
    """From within a command, whatever it is."""
    argv = ("shell", "--no-imports", "-c", f"raise {error}")
    said = one_line(commands.manage(*argv, DATABASE_URL=url), 1)
    assert said.endswith("--traceback shows more.\n")
    assert "\x1b" not in said
    assert "hunter22" not in said
    assert "er@22" not in said


@pytest.mark.parametrize("error", [it for it in ERRORS if "django" not in it])
def test_every_class_of_error_is_one_line_of_inv(repository, error):
    """From within a task, whatever it is."""
    text = (repository.root / "tasks.py").read_text()
    text = text.replace("    process.run(c, [sys", f"    raise {error}\n    process.run(c, [sys", 1)
    (repository.root / "tasks.py").write_text(text)
    said = one_line(repository.inv("steps"), 1)
    assert said.endswith("'inv --debug' shows where.\n")
    assert "\x1b" not in said
    assert "hunter22" not in said
    done = repository.inv("--debug", "steps")
    assert "Traceback" in done.err


def test_a_database_in_a_place_that_is_none(commands):
    """A folder that nothing can be written to, and one that is not there."""
    for url in ("sqlite:////proc/x.sqlite3", "sqlite:////nowhere/x.sqlite3"):
        done = commands.manage("job_history", DATABASE_URL=url)
        assert one_line(done, done.code)
        assert done.code in {1, 3}


def test_output_that_its_encoding_cannot_say(commands, url):
    """A terminal that knows no umlaut gets the reason, not a traceback."""
    code = "print('\\u00fc')"
    done = commands.manage(
        "shell", "--no-imports", "-c", code, DATABASE_URL=url, PYTHONIOENCODING="ascii"
    )
    assert one_line(done, 1).startswith(r"Text: ASCII cannot say '\xfc' (")


def test_a_reader_that_leaves_is_silent(commands, url):
    """`manage.py … | head -1` ends with the code of SIGPIPE."""
    argv = [sys.executable, Path(ROOT, "backend/manage.py"), "help"]
    env, pipe = commands.env({"DATABASE_URL": url}), subprocess.PIPE
    with subprocess.Popen(argv, env=env, stdout=pipe, stderr=pipe, text=True) as started:
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait() == 141
