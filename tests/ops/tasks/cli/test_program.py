"""The command line: Django's positional words, one line for an error, the right exit code."""

import json
import shlex
import signal
import subprocess
import sys

import pytest

from tests.commands import BIN, ROOT

#: Tasks with one before them, with one inside of them, and one that does nothing.
MORE_TASKS = """

from django_runbook.tasks.db import check


@invoke.task(pre=[check])
def prepared(c):
    print("prepared")


@task()
def calling(c):
    check(c)
    print("called")


@task()
def nothing(c):
    pass


for each in (prepared, calling, nothing):
    ns.add_task(each)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["db.migrat"], "There is no task 'db.migrat'. Did you mean db.migrate"),
        (["--help", "db.shw"], "There is no task 'db.shw'. Did you mean db.show"),
        (["xyzzy"], "There is no task 'xyzzy'. 'inv' lists the tasks."),
        (["db.show", "--pln"], "There is no option '--pln'. Did you mean --plan?"),
        (["db.sql", "0002", "--app-label", "hello"], "--app-label has a value already: 0002"),
        (["db.restore", "db.backup"], "Something is missing, as in: inv db.restore"),
        (["expire", "--as-of"], "--confirm needs a value."),
        (["db.sql", "users"], "Something is missing, as in: inv db.sql users 0002"),
        (["db.migrate", "--app-label=-x"], "'-x' begins with '-': it is no name."),
        (["dev.app", "no-name"], "'no-name' is no name for an app. As in: inv dev.app billing"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(repository, argv, message):
    """What cannot be understood is named, with the near names, and nothing runs."""
    argv = ["manage"] if argv == ["expire", "--as-of"] else argv
    argv = [*argv, "--confirm"] if argv == ["manage"] else argv
    done = repository.inv(*argv)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err


@pytest.mark.slow
def test_tasks_of_plain_invoke_work_with_their_aliases(repository):
    """A repository's own tasks need nothing of the kit; called twice, Invoke runs them once."""
    done = repository.inv("hi", "hello")
    assert (done.code, done.out) == (0, "hello\n")
    assert repository.inv("hello", HELLO="7").code == 7


@pytest.mark.slow
@pytest.mark.parametrize("operand", ["hello", "hi", "test", "graph"])
def test_app_called_like_a_task_is_migrated_alone(repository, operand):
    """`inv db.migrate test` migrates the app called test: never all of them, then the tests."""
    done = repository.inv("--dry", "db.migrate", operand)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{shlex.quote(f'{BIN}/python')} src/manage.py migrate {operand}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ("nothing", []),
        ("nothing nothing", []),
        ("db.check db.wait", ["check_migrations", "wait_for_database"]),
        ("db.show users db.check", ["showmigrations", "check_migrations"]),
        ("db.check hello", ["check_migrations", "hello"]),
        ("prepared", ["check_migrations", "prepared"]),
        ("calling", ["check_migrations", "called"]),
    ],
)
def test_every_task_of_a_line_runs(repository, tasks, said):
    """A task that becomes a command does so last alone: what follows it is not forgotten."""
    file = repository.root / "tasks.py"
    file.write_text(file.read_text() + MORE_TASKS)
    done = repository.inv(*tasks.split())
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [json.loads(line)["argv"][0] if line[0] == "{" else line for line in lines] == said


def test_first_task_that_fails_ends_the_line(repository):
    """The exit code is that of the command which failed, and nothing runs after it."""
    done = repository.inv("db.check", "hello", CODE="5")
    assert (done.code, done.out.count("\n"), done.err) == (5, 1, "")
    assert "hello" not in done.out


@pytest.mark.slow
def test_help_needs_no_value(commands):
    """`inv db.sql --help` shows the help of each option: it is nobody's value."""
    done = commands.inv("db.sql", "--help", DATABASE_URL="nonsense")
    assert (done.code, done.err) == (0, "")
    option = next(line for line in done.out.splitlines() if "--app-label=STRING" in line)
    assert option.partition("STRING")[2].strip() != ""


def test_alone_it_lists_the_tasks_in_their_groups(commands):
    """The repository's own tasks come first; every task has its line."""
    done = commands.inv()
    lines = done.out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert (done.code, done.err) == (0, "")
    assert headings == [
        "This repository:",
        "Any command:",
        "Database:",
        "Dependencies:",
        "Development:",
        "Jobs:",
        "Quality:",
    ]
    assert commands.inv("--list").out == done.out
    from tasks import ns

    for name in ns.task_names:
        assert sum(line.split()[:1] == [name] for line in lines) == 1, name


def test_lines_of_help_fit_in_80_columns(commands):
    """No line of the list is broken on a narrow terminal."""
    done = commands.inv(COLUMNS="80")
    assert [line for line in done.out.splitlines() if line.startswith(" " * 6)] == []


@pytest.mark.slow
def test_reader_that_leaves_is_no_error(commands):
    """`inv db.show | head -1` and `inv --list | head -1` print no traceback."""
    for argv in ("db.show", "--list"):
        line = f"'{BIN}/inv' --search-root '{ROOT}' {argv} | head -1"
        url = "sqlite://:memory:"
        done = commands.run("sh", "-c", line, DATABASE_URL=url)
        assert (done.code, done.out.count("\n"), done.err) == (0, 1, "")


@pytest.mark.slow
def test_reader_that_left_before_is_no_error(commands):
    """A pipe that is closed before the first line ends with the code of SIGPIPE, silently."""
    line = f"'{BIN}/inv' --search-root '{ROOT}' db.show; echo $? >&2"
    url = "sqlite://:memory:"
    started = subprocess.Popen(
        ["sh", "-c", line], cwd=ROOT, env=commands.env({"DATABASE_URL": url}),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    started.stdout.close()
    assert started.stderr.read() == "141\n"
    started.wait()
    started.stderr.close()


CTRL_C = """
import builtins, os, signal, sys

real = builtins.__import__

def hooked(name, *args, **kwargs):
    if name == os.environ["MOMENT"] and "manage.py" in sys.argv[0]:
        builtins.__import__ = real
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *args, **kwargs)

builtins.__import__ = hooked
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["django.conf", "django.core.management", "users", "psycopg"])
def test_ctrl_c_at_each_moment_is_silent(commands, tmp_path, moment):
    """While Django starts, while it loads the apps, while the command runs: no traceback."""
    (tmp_path / "sitecustomize.py").write_text(CTRL_C)
    done = commands.inv(
        "db.wait",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/x",
        PYTHONPATH=str(tmp_path),
        MOMENT=moment,
    )
    assert (done.out, done.err) == ("", "")
    assert done.code in {130, -signal.SIGINT}  # the shell shows 130 for both


@pytest.mark.slow
def test_unforeseen_error_is_one_line_and_debug_shows_the_rest(repository):
    """A task that breaks says so in one line; --debug has the traceback."""
    text = (repository.root / "tasks.py").read_text()
    text = text.replace("    process.run(c, [sys", "    1 / 0\n    process.run(c, [sys", 1)
    (repository.root / "tasks.py").write_text(text)
    done = repository.inv("steps")
    assert (done.code, done.out) == (1, "")
    assert done.err == "ZeroDivisionError: division by zero. 'inv --debug' shows where.\n"
    assert "Traceback" in repository.inv("--debug", "steps").err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("import os\n", "import os\nimport nowhere\n", "Import: No module named 'nowhere' ("),
        ('"users",', '"usrs",', "Import: No module named 'usrs' ("),
        ("DEBUG = env", "DEBUG = = env", "Syntax: invalid syntax ("),
    ],
)
def test_broken_settings_say_what_and_where(commands, tmp_path, old, new, message):
    """An import that fails in the settings is one line, with the file and the line."""
    package = tmp_path / "project"
    package.mkdir()
    for name in ("__init__.py", "env.py", "settings.py"):
        (package / name).write_text((ROOT / "backend/project" / name).read_text("utf-8"))
    settings = package / "settings.py"
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))
    (tmp_path / "manage.py").write_text((ROOT / "backend/manage.py").read_text("utf-8"))
    done = commands.run(
        sys.executable, tmp_path / "manage.py", "check",
        DATABASE_URL="sqlite://:memory:", PYTHONPATH=f"{ROOT}/backend",
    )  # fmt: skip
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith(message)
    if message.startswith("Syntax"):
        line = text[: text.index(old)].count("\n") + 1
        assert done.err.endswith(f"project/settings.py, line {line}); --traceback shows more.\n")
    assert done.err.rstrip().endswith("--traceback shows more.")
