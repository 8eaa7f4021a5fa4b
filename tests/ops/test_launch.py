"""The quick start of `./inv`: less is loaded, and nothing is missing."""

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.commands import Commands, Done

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
