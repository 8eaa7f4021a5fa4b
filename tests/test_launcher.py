"""`./inv`: makes .venv once, whatever happens on the way, and runs its `inv`.

The tests put a `uv` of their own on PATH, which writes down how it was called.
"""

import ast
import json
import os
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

from tests.checkouts import MADE, MAKING, WAITING, Checkout
from tests.commands import ROOT, Done

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a fresh checkout."""
    return Checkout(tmp_path)


def test_first_call_makes_the_environment_and_the_second_does_not(checkout):
    """Three steps once: the environment, the lock with hashes, the project without dependencies."""
    first, second = checkout.run(), checkout.run()
    assert (first.code, first.err) == (0, MADE)
    assert (second.code, second.err) == (0, "")
    make, lock, project = checkout.calls()
    assert make == f"venv --python {checkout.tools}/python3 .venv"
    assert lock == "pip install --python .venv/bin/python --require-hashes -r requirements-dev.txt"
    kit = "--no-deps --no-build-isolation --editable ./ops"
    assert project == f"pip install --python .venv/bin/python {kit}"


def test_arguments_arrive_untouched(checkout):
    """Quotes, spaces, semicolons, newlines: what was typed is what `inv` gets."""
    typed = ["manage", "--", "a b", "'q' \"Q\"", ";$(id)`id`", "new\nline", "", "ü", "*", "--list"]
    for _each in ("after the set-up", "without one"):
        called = json.loads(checkout.run(*typed).out)
        assert called["argv"] == [str(checkout.root / ".venv/bin/inv"), *typed]
        assert called["root"] == str(checkout.root)


def test_exit_code_is_the_tasks_own(checkout):
    """What `inv` ends with is what the caller sees."""
    assert checkout.run("seven").code == 7


def test_becomes_the_task_so_that_signals_are_its_own(checkout):
    """The process that was started is the one that runs the task: SIGTERM ends it."""
    checkout.run()
    started = checkout.start("wait")
    assert json.loads(started.stdout.readline())["pid"] == started.pid
    started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=10) == -signal.SIGTERM
    started.communicate()


def test_ctrl_c_before_the_task_is_silent(checkout):
    """While the task runner itself is loaded, Ctrl-C is exit code 130 without a traceback."""
    checkout.run()
    started = checkout.start("wait")
    started.stdout.readline()
    started.send_signal(signal.SIGINT)
    assert started.wait(timeout=10) == 130
    assert started.communicate()[1] == ""


def test_works_from_any_folder_and_through_a_symlink(checkout, tmp_path):
    """The root is where the script really lies."""
    link = tmp_path / "link to inv"
    link.symlink_to(checkout.inv)
    done = checkout.run("x", program=link, cwd=Path("/"))
    called = json.loads(done.out)
    assert (called["argv"][1:], called["root"]) == (["x"], str(checkout.root))


def test_changed_lock_makes_it_anew(checkout):
    """The stamp holds the lock's content; another content is another environment."""
    checkout.run()
    checkout.lock.write_text("one==2\n")
    assert checkout.run().err == MADE
    assert len(checkout.calls()) == 6


def test_touched_lock_changes_nothing(checkout):
    """A new time on the same content, as git gives it, is nothing to do."""
    checkout.run()
    os.utime(checkout.lock, (1, 1))
    assert checkout.run().err == ""


def test_moved_folder_makes_it_anew(checkout, tmp_path):
    """Scripts in .venv name their folder, so a moved one is made anew."""
    checkout.run()
    moved = checkout.root.rename(tmp_path / "moved")
    assert checkout.run(program=moved / "inv").err.startswith(MAKING)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_killed_half_way_leaves_nothing_that_counts(checkout, step):
    """After a SIGKILL in any step, the next call waits for the orphan and starts from nothing."""
    started = checkout.start(SLOW="2", SLOW_STEP=str(step))
    deadline = time.monotonic() + 20
    while len(checkout.calls()) < step and time.monotonic() < deadline:
        time.sleep(0.01)
    started.kill()
    started.communicate()
    done = checkout.run()
    assert (done.code, done.err.removeprefix(WAITING)) == (0, MADE)
    assert len(checkout.calls()) == step + 3
    assert [note.split()[0] for note in checkout.notes()] == ["start", "end"] * (step + 3)
    assert checkout.run().err == ""


def test_two_at_once_make_it_once(checkout):
    """The second waits for the first, finds the work done, and goes on."""
    both = [checkout.start(SLOW="0.15") for _ in range(2)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in both]
    assert [code for _out, _err, code in ended] == [0, 0]
    assert sorted(err for _out, err, _code in ended) == [WAITING, MADE]
    assert len(checkout.calls()) == 3


@pytest.mark.parametrize("name", ['a "quote"', "it's", "$HOME `id`", "new\nline", "ü#%[x]", "-x"])
def test_any_name_of_a_folder_will_do(tmp_path, name):
    """No tool and no shell gets to read the folder's name."""
    checkout = Checkout(tmp_path / "outer", name)
    first, second = checkout.run("x"), checkout.run("x")
    assert (first.code, first.err, second.code, second.err) == (0, MADE, 0, "")
    assert json.loads(second.out)["root"] == str(checkout.root)


def test_tab_makes_nothing(checkout):
    """Completion before there is a .venv says nothing, and does not wait for one."""
    done = checkout.run("--complete", "--", "inv", "db")
    assert (done.code, done.out, done.err, checkout.calls()) == (1, "", "", [])


def pretending(checkout: Checkout, prelude: str) -> Done:
    """Run the script in a Python that ``prelude`` has changed."""
    code = f"import sys; sys.argv = ['inv']; {prelude}; __file__ = {str(checkout.inv)!r}; "
    code += "exec(compile(open(__file__).read(), __file__, 'exec'))"
    return checkout.run("-c", code, program=Path(sys.executable))


def test_old_python_is_told(checkout):
    """Python 3.9 gets one line with the version that is needed."""
    done = pretending(checkout, "sys.version_info = (3, 9, 1)")
    assert (done.code, done.out) == (1, "")
    assert done.err == "inv: Python 3.11 or newer is needed, this is 3.9. Try: python3.11 inv\n"


def test_old_python_can_read_the_script():
    """The syntax is that of Python 3.6, or the version could not be told."""
    ast.parse((ROOT / "inv").read_text("utf-8"), feature_version=(3, 6))


def test_missing_venv_module_is_told(checkout):
    """Debian splits venv off: its package is named."""
    checkout.uv.unlink()
    done = pretending(checkout, "sys.modules['ensurepip'] = None")
    assert (done.code, done.out) == (1, "")
    assert done.err == MAKING + (
        "inv: Python's venv is missing. On Debian: sudo apt install python3-venv\n"
    )


def test_script_is_short_and_executable():
    """Under 100 lines, and git has it as a program."""
    assert len((ROOT / "inv").read_text("utf-8").splitlines()) < 100
    assert (ROOT / "inv").stat().st_mode & stat.S_IXUSR
