"""The quick start of `./inv`: less is loaded, and nothing is missing."""

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from django_runbook import tasks
from django_runbook.text import uncaught
from tests.commands import BIN, Commands, Done

START = """\
import site, sys
site.main()
sys.argv[0] = "inv"
from django_runbook.launch import main
main({root!r})
"""
TASKS = """\
import gc
import json
import os
import sys
from pathlib import Path

from invoke import Context, MockContext, Result, task

from django_runbook.tasks import kit


@task
def loaded(c):
    print(json.dumps(sorted(sys.modules)))


@task
def mocked(c):
    made = MockContext(run=Result("said"))
    print(made.run("anything").stdout, made.run.call_count, type(made.run).__module__)


@task
def real(c):
    import importlib.metadata
    import unittest.mock
    print(unittest.mock.patch.__module__, importlib.metadata.version("django-runbook"))


@task
def settings(c):
    print(c.config.note, gc.isenabled())


ns = kit(Path(__file__).resolve().parent)
for each in (loaded, mocked, real, settings):
    ns.add_task(each)
"""
#: What costs time and no task needs that becomes a command.
DEAR = {
    "asyncio",
    "cronsim",
    "django",
    "email",
    "importlib.metadata",
    "invoke.vendor.yaml.loader",
    "rich",
    "tempfile",
    "unittest",
    "unittest.mock",
    "zoneinfo",
}


@pytest.fixture
def start(tmp_path: Path):
    """Return what starts the tasks of a repository as `./inv` does."""
    root = tmp_path / "a repository"
    root.mkdir()
    (root / "tasks.py").write_text(TASKS)
    (root / "manage.py").touch()
    (root / "pyproject.toml").write_text('[tool.django-runbook]\nmanage = "manage.py"\n')

    def run(*argv: str) -> Done:
        code = START.format(root=str(root))
        return Commands(tmp_path).run(sys.executable, "-IS", "-c", code, *argv, cwd=root)

    run.root = root
    return run


def test_dear_modules_are_not_loaded(start):
    """A task runs without what only mocks, versions, YAML files and Django need."""
    done = start("loaded")
    assert (done.code, done.err) == (0, "")
    assert DEAR & set(json.loads(done.out)) == set()


def test_mock_context_works(start):
    """A task that uses Invoke's MockContext has a real one."""
    done = start("mocked")
    assert (done.code, done.out, done.err) == (0, "said 1 unittest.mock\n", "")


def test_stand_ins_are_gone_when_tasks_run(start):
    """Whoever imports the two modules later gets the standard library's."""
    done = start("real")
    version = metadata.version("django-runbook")
    assert (done.code, done.out, done.err) == (0, f"unittest.mock {version}\n", "")


def test_invoke_reads_its_settings(start):
    """A YAML file is read as ever; the garbage collector works while a task runs."""
    (start.root / "invoke.yaml").write_text("note: from a file\n")
    done = start("settings")
    assert (done.code, done.out, done.err) == (0, "from a file True\n", "")


def test_version_is_that_of_the_installed_invoke(start):
    """`inv --version` says what the distribution's metadata say."""
    done = start("--version")
    assert (done.code, done.out) == (0, f"Invoke {metadata.version('invoke')}\n")


@pytest.mark.parametrize(
    ("argv", "code"), [(("loaded",), 0), (("nosuch",), 2), (("db.flush", "--nosuch"), 2)]
)
def test_exit_codes_are_those_of_inv(start, argv, code):
    """What goes wrong ends with the same code."""
    assert start(*argv).code == code


#: What may stand in a tasks.py or beside it, and what is said of it.
BROKEN = {
    "def x(:\n": "Syntax: invalid syntax (tasks.py, line 1). Mend that",
    "import nosuch\n": (
        "Import: No module named 'nosuch' (tasks.py, line 1). Install it, or mend that"
    ),
    "from os import nosuch\n": "Import: cannot import name 'nosuch' from 'os' ({os}) "
    "(tasks.py, line 1). Mend that",
    "\nimport beside\n": "Syntax: '(' was never closed (beside.py, line 2). Mend that",
    "\n\n1 / 0\n": "ZeroDivisionError: division by zero (tasks.py, line 3). Mend that",
    "open('/proc/x/y')\n": (
        "/proc/x/y: No such file or directory (tasks.py, line 1). Check the path"
    ),
    "import json\njson.loads('x')\n": (
        "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (tasks.py, line 2). Mend that"
    ),
    "raise ValueError('password=hunter22 \\n\\x1b[2J::error::x')\n": (
        "ValueError: password=*** \\x1b[2J::error::x (tasks.py, line 1). Mend that"
    ),
    "class E(BaseException): pass\nraise E\n": "E (tasks.py, line 2). Mend that",
}


@pytest.mark.slow
@pytest.mark.parametrize("text", BROKEN)
def test_error_in_tasks_is_one_line(start, text):
    """Whatever its class: what is wrong, its file and line, what to do, exit code 1."""
    (start.root / "beside.py").write_text("a = 1\nb = (\n")
    (start.root / "tasks.py").write_text(text)
    said = BROKEN[text].replace("{os}", os.__file__)
    for argv in (("--list",), ("db.show",), ("--complete", "--", "inv", "db")):
        done = start(*argv)
        assert (done.code, done.out) == (1, ""), done
        assert done.err == f"{said}; 'inv --traceback' shows more.\n"


def test_traceback_shows_all_of_it(start):
    """Also Invoke's own --debug, which logs besides; without secrets."""
    (start.root / "tasks.py").write_text("\nraise ValueError('password=hunter22')\n")
    for option in ("--traceback", "--debug"):
        done = start(option, "loaded")
        assert (done.code, done.out) == (1, "")
        assert "Traceback (most recent call last):\n" in done.err
        assert done.err.endswith(
            ", line 2, in <module>\n    raise ValueError('password=***\nValueError: password=***\n"
        )
    assert start("loaded", "--", "--traceback").err.count("\n") == 1


def test_traceback_of_a_task(start):
    """The option works as well where a task goes wrong, and is none of a task's words."""
    text = (start.root / "tasks.py").read_text()
    wrong = "@task\ndef wrong(c):\n    raise LookupError('no')\n\n\nns = "
    text = text.replace("ns = ", wrong).replace("in (loaded,", "in (wrong, loaded,")
    (start.root / "tasks.py").write_text(text)
    done = start("wrong")
    assert (done.code, done.err) == (1, "LookupError: no. 'inv --debug' shows where.\n")
    done = start("--traceback", "wrong")
    assert (done.code, done.err.splitlines()[-1]) == (1, "LookupError: no")
    assert "Traceback" in done.err
    assert start("--traceback", "loaded").code == 0


def test_file_that_invoke_reads_is_broken(start):
    """Its settings are read before the tasks, and are named as well."""
    (start.root / "invoke.yaml").write_text("a: [\n")
    done = start("loaded")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert f'in "{start.root}/invoke.yaml", line 2, column 1' in done.err


def test_ctrl_c_while_tasks_are_loaded(start):
    """It is 130 and silent, where Invoke alone would end with 1."""
    (start.root / "tasks.py").write_text("raise KeyboardInterrupt\n")
    done = start("loaded")
    assert (done.code, done.out, done.err) == (130, "", "")
    (start.root / "tasks.py").write_text("raise SystemExit(1)\n")
    assert start("loaded").code == 1


def test_plain_inv_once_it_has_the_kit(start):
    """The program is Invoke's: what comes before the kit is imported, it tells in its own way."""
    run = Commands(start.root.parent).run
    (start.root / "tasks.py").write_text("from django_runbook.tasks import kit\n1 / 0\n")
    done = run(BIN / "inv", "--list", cwd=start.root)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "ZeroDivisionError: division by zero (tasks.py, line 2). Mend that; "
        "'inv --traceback' shows more.\n"
    )


def test_hook_is_for_the_program_alone():
    """Whoever imports the kit's tasks elsewhere keeps what they have."""
    assert sys.excepthook is not uncaught.told
    assert tasks.program.argv == []
