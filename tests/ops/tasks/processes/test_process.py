"""How tasks run commands: word for word, with the terminal, the signals and the exit code."""

import json
import shlex
import signal
import subprocess
import sys
import time

import pexpect
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.tasks.processes import process
from django_runbook.tasks.processes.command_line import MASK, line
from tests.commands import BIN, ROOT

WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
#: What shells, Invoke's parser and Python's trip over.
NASTY = st.sampled_from(
    [
        "",
        "-",
        "--",
        "--list",
        "-h",
        "a b",
        "'",
        '"',
        ";ls",
        "$(id)",
        "`id`",
        "\n",
        "\\",
        "*",
        "ü",
        "é;",
    ]
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(typed=st.lists(WORD | NASTY, min_size=1, max_size=6))
def test_what_was_typed_is_what_arrives(repository, typed):
    """After `--`, the command's sys.argv is what the user typed, whatever it is."""
    assert repository.called("manage", "--", *typed)["argv"] == typed


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=WORD | NASTY)
def test_value_of_an_option_is_what_arrives(repository, value):
    """So does the value of a task's own option, whatever it is."""
    called = repository.called("db.make", f"--name={value}")
    assert called["argv"] == ["makemigrations", f"--name={value}"]


@given(argv=st.lists(WORD | NASTY, min_size=1))
def test_printed_line_can_be_pasted(argv):
    """A shell reads the printed line back as the same words, where nothing is secret in them."""
    printed = line(argv)
    if MASK not in printed:
        assert shlex.split(printed) == argv


@pytest.mark.slow
def test_manage_takes_the_articles_code(commands):
    """Quotes and semicolons reach Django's shell."""
    done = commands.inv(
        *("manage", "--", "shell", "--no-imports", "-c", "print('a b;')"),
        DATABASE_URL="sqlite://:memory:",
    )
    assert (done.code, done.out, done.err) == (0, "a b;\n", "")


def test_task_becomes_its_command(repository):
    """A task of one command is that command's process: the id is the one that was started."""
    started = subprocess.Popen(
        [BIN / "inv", "manage", "--", "x"],
        cwd=repository.root,
        env=repository.commands.env(),
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = started.communicate(timeout=60)
    assert json.loads(out)["pid"] == started.pid


def test_exit_code_comes_through(repository):
    """The command's own code is the task's."""
    assert repository.inv("manage", "--", "x", CODE="3").code == 3


def test_user_stays_where_they_are(repository):
    """Inside the repository a command runs where the user is; from outside, at the root."""
    inside, outside = repository.root / "src", repository.root.parent
    assert repository.called("manage", "--", "x", cwd=inside)["cwd"] == str(inside)
    argv = ("--search-root", str(repository.root), "manage", "--", "x")
    assert repository.called(*argv, cwd=outside)["cwd"] == str(repository.root)


def test_dry_prints_the_line_and_runs_nothing(repository):
    """Invoke's --dry prints what would run, to be pasted, for interactive commands too."""
    python = shlex.quote(sys.executable)
    done = repository.inv("--dry", "manage", "--", "shell", "-c", "print('a b;')")
    code = shlex.quote("print('a b;')")
    printed = f"{python} src/manage.py shell -c {code}\n"
    assert (done.code, done.out) == (0, printed)
    assert repository.inv("--dry", "db.shell").out == f"{python} src/manage.py dbshell\n"
    pasted = repository.commands.run("sh", "-c", printed, cwd=repository.root)
    assert json.loads(pasted.out)["argv"] == ["shell", "-c", "print('a b;')"]


def test_dry_prints_every_step_with_its_environment(repository):
    """Each step of a task is printed."""
    python = shlex.quote(sys.executable)
    done = repository.inv("--dry", "steps", "--", "pass")
    second = shlex.quote("print('second step')")
    assert done.out == f"{python} -c pass\nNOTE='a b' {python} -c {second}\n"


#: What Invoke reads beside the command line, and what of it would undo a scheduled job.
OTHERS = {
    "INVOKE_RUN_DRY": "1",
    "INVOKE_RUN_ECHO": "false",
    "INVOKE_RUNBOOK_ROOT": "/nowhere",
    "INVOKE_TASKS_EXECUTOR_CLASS": "nowhere.Executor",
}
FILE = """\
run:
  dry: true
  echo: true
  shell: /nowhere
tasks:
  dedupe: false
  executor_class: nowhere.Executor
  auto_dash_names: false
runbook:
  root: /nowhere
"""


@pytest.mark.slow
@pytest.mark.parametrize("others", OTHERS.items(), ids="=".join)
def test_no_variable_lets_a_task_print_instead(repository, others):
    """What is meant for `c.run` of anybody's tasks is not a `--dry` of a scheduled job."""
    assert repository.called("manage", "--", "x", **dict([others]))["argv"] == ["x"]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["home", "root", "INVOKE_RUNTIME_CONFIG"])
def test_no_file_lets_a_task_print_instead(repository, place):
    """Neither the user's, nor the repository's, nor one that a variable names."""
    folder = repository.commands.home if place == "home" else repository.root
    file = folder / (".invoke.yaml" if place == "home" else "invoke.yaml")
    if place == "INVOKE_RUNTIME_CONFIG":
        file = folder / "other.yaml"
    file.write_text(FILE)
    extra = {place: str(file)} if place == "INVOKE_RUNTIME_CONFIG" else {}
    assert repository.called("manage", "--", "x", **extra)["argv"] == ["x"]
    dry = repository.inv("--dry", "manage", "--", "x", **extra)
    assert dry.out.endswith("manage.py x\n")


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["psql", "postgresql://me:hunter2@db/x"], "psql 'postgresql://me:***@db/x'"),
        (["psql", "postgresql://me:hun/t@er2@db/x"], "psql 'postgresql://me:***@db/x'"),
        (["x", "--password=hunter2"], "x '--password=***'"),
        (["x", "--api-token", "hunter2", "y"], "x --api-token '***' y"),
        (["x", "--password", "--force"], "x --password --force"),
    ],
)
def test_secrets_are_masked(argv, shown):
    """A password is not shown, wherever in the line it stands."""
    assert line(argv) == shown


def test_secrets_in_the_environment_are_masked():
    """Variables that hold secrets by their name, and passwords in URLs."""
    env = {"SECRET_KEY": "hunter2", "DATABASE_URL": "mysql://me:hunter2@db/x", "DEBUG": "true"}
    assert line(["x"], env) == "SECRET_KEY=*** DATABASE_URL='mysql://me:***@db/x' DEBUG=true x"


def test_options_are_spelled_as_django_does():
    """True is a flag, a value hangs on its option, None and False are left out."""
    assert process.options(dry_run=True, json=False, as_of=None, app_label="-x y") == [
        "--dry-run",
        "--app-label=-x y",
    ]


def test_failing_step_ends_the_task(repository):
    """The second step does not run, and the first one's code is the task's."""
    done = repository.inv("steps", "--", "import sys; print('first'); sys.exit(9)")
    assert (done.code, done.out, done.err) == (9, "first\n", "")


def test_step_ended_by_a_signal(repository):
    """A step that a signal ended gives 128 and the signal's number."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert repository.inv("steps", "--", code).code == 128 + signal.SIGKILL


@pytest.mark.slow
def test_sigterm_reaches_the_running_step(repository):
    """A task that is told to end tells its step, and ends with the step's code."""
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); "
        "print('ready', flush=True); time.sleep(60)"
    )
    started = subprocess.Popen(
        [BIN / "inv", "steps", "--", code],
        cwd=repository.root,
        env=repository.commands.env(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout.readline() == "ready\n"
    time.sleep(0.1)
    started.terminate()
    out, _ = started.communicate(timeout=20)
    assert (started.returncode, out) == (5, "")


@pytest.mark.slow
def test_ctrl_c_is_the_steps_own(repository):
    """In a terminal, Ctrl-C goes to the step; one that catches it lives on, as does the task."""
    code = (
        "import time\n"
        "for mood in ('waiting', 'still here'):\n"
        "    try: print(mood, flush=True); time.sleep(30)\n"
        "    except KeyboardInterrupt: print('caught', flush=True)\n"
    )
    terminal = pexpect.spawn(
        str(BIN / "inv"), ["steps", "--", code], cwd=repository.root, env=repository.commands.env(),
        encoding="utf-8", timeout=20,
    )  # fmt: skip
    for mood in ("waiting", "still here"):
        terminal.expect_exact(mood)
        terminal.sendintr()
        terminal.expect_exact("caught")
    terminal.expect_exact("second step")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0


def test_tasks_that_take_nothing_say_so(repository):
    """What stands after `--` is never dropped in silence."""
    done = repository.inv("lint", "--", "x")
    assert (done.code, done.out, done.err) == (2, "", "lint takes nothing after '--'.\n")


def test_several_tasks_cannot_share_what_was_typed(repository):
    """Invoke would hand the same words to each."""
    done = repository.inv("manage", "manage", "--no-dedupe", "--", "x")
    assert (done.code, done.out) == (2, "")
    assert done.err == "What stands after '--' can go to one task only.\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[tool.django-runbook]\nmanage = 7\n", "tool.django-runbook.manage = 7 is not a file."),
        (
            '[tool.django-runbook]\nmanage = "nowhere.py"\n',
            "tool.django-runbook.manage = 'nowhere.py' is not a file.",
        ),
        (
            "[tool.django-runbook]\nmanege = 7\n",
            "tool.django-runbook.manege is not a known key; allowed: manage, protected",
        ),
        (
            "[tool.django-runbook\n",
            "cannot be read: Expected ']' at the end of a table declaration",
        ),
    ],
)
def test_bad_configuration_is_one_line(repository, toml, message):
    """The file, the key, the value and what is allowed."""
    file = repository.root / "pyproject.toml"
    file.write_text(toml)
    done = repository.inv("manage", "--", "x")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith(f"{file}")
    assert message in done.err


def test_every_task_has_a_line_of_help_and_help_for_each_option():
    """Nothing in the list is left unexplained, and no help text runs over its line."""
    from tasks import ns

    for name in ns.task_names:
        task = ns[name]
        first = (task.__doc__ or "").splitlines()[0]
        assert first.endswith("."), name
        for argument in task.get_arguments():
            assert argument.help, (name, argument.name)
        assert not task.positional, name


def test_help_of_a_task_does_not_run_it(commands):
    """`inv expire --help` shows the options and starts nothing."""
    done = commands.inv("expire", "--help", DATABASE_URL="nonsense")
    assert (done.code, done.err) == (0, "")
    for option in ("--dry-run", "--as-of=STRING", "--json"):
        assert option in done.out


def test_listing_loads_neither_django_nor_rich(commands):
    """`inv --list` is quick because it loads nothing that it does not need."""
    code = (
        "import sys; sys.argv = ['inv', '--list']\n"
        "from invoke.main import program\n"
        "program.run(exit=False)\n"
        "print([name for name in ('django', 'rich', 'tomllib', 'environ') if name in sys.modules])"
    )
    done = commands.run(sys.executable, "-c", code, cwd=ROOT)
    assert done.out.endswith("\n[]\n"), done
