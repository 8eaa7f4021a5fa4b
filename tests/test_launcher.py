"""`./inv`: makes .venv once, whatever happens on the way, and runs its `inv`.

Most tests put a `uv` of their own on PATH, which writes down how it was called; the real pip and
the real index are in the tests marked slow.
"""

import ast
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands import BIN, ROOT, Done

MAKING = "inv: making .venv from requirements-dev.txt, once\n"
FAKE_UV = """#!{python}
import os, pathlib, sys, time
root = pathlib.Path({root!r})
def note(word):
    with open(root / "calls", "a") as calls:
        calls.write(" ".join([word, *sys.argv[1:]]) + "\\n")
note("start")
if sys.argv[1] == "venv":
    (root / ".venv/bin").mkdir(parents=True, exist_ok=True)
    python = root / ".venv/bin/python"
    python.unlink(missing_ok=True)
    python.symlink_to({python!r})
    (root / ".venv/pyvenv.cfg").write_text("home = " + os.path.dirname({python!r}))
    packages = root / ".venv/lib/python{{}}.{{}}/site-packages".format(*sys.version_info)
    (packages / "django_runbook").mkdir(parents=True, exist_ok=True)
    (packages / "django_runbook/launch.py").write_text({launch!r})
time.sleep(float(os.environ.get("SLOW", "0")))
note("end")
print(os.environ.get("SAY", ""))
sys.exit(1 if "SAY" in os.environ and sys.argv[1] == "pip" else 0)
"""
FAKE_LAUNCH = """
import json, os, sys

def main(root):
    print(json.dumps({"pid": os.getpid(), "argv": sys.argv, "root": root}), flush=True)
    if "wait" in sys.argv:
        sys.stdin.read()
    sys.exit(7 if "seven" in sys.argv else 0)
"""


class Checkout:
    """A checkout in a folder with a space in its name, with a `uv` that only pretends."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.root.mkdir(parents=True)
        self.inv = self.root / "inv"
        self.inv.write_bytes((ROOT / "inv").read_bytes())
        self.inv.chmod(0o755)
        self.lock = self.root / "requirements-dev.txt"
        self.lock.write_text("one==1\n")
        self.tools = folder / "tools"
        self.tools.mkdir()
        real = os.path.realpath(sys.executable)
        (self.tools / "python3").symlink_to(real)
        self.uv = self.tools / "uv"
        fake = FAKE_UV.format(python=real, root=str(self.root), launch=FAKE_LAUNCH)
        self.uv.write_text(fake)
        self.uv.chmod(0o755)

    def env(self, **extra: str) -> dict[str, str]:
        return {"PATH": f"{self.tools}:/usr/bin:/bin", "HOME": str(self.root.parent), **extra}

    def start(self, *argv: str, **extra: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.inv, *argv],
            env=self.env(**extra),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str, program: Path | None = None, cwd: Path | None = None, **extra: str):
        done = subprocess.run(
            [program or self.inv, *argv],
            env=self.env(**extra),
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def notes(self) -> list[str]:
        """Return when each step of a set-up started and ended, and how it was called."""
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def calls(self) -> list[str]:
        """Return the steps that were started so far: three make a whole set-up."""
        words = [note.split(" ", 1) for note in self.notes()]
        return [call for word, call in words if word == "start"]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a fresh checkout."""
    return Checkout(tmp_path)


def test_first_call_makes_the_environment_and_the_second_does_not(checkout):
    """Three steps once: the environment, the lock with hashes, the project without dependencies."""
    first, second = checkout.run(), checkout.run()
    assert (first.code, first.err) == (0, MAKING)
    assert (second.code, second.err) == (0, "")
    make, lock, project = checkout.calls()
    assert make.startswith("venv --clear --python ")
    assert lock.endswith(f"--require-hashes -r {checkout.lock}")
    assert project.endswith(f"--no-deps --no-build-isolation --editable {checkout.root}/ops")


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
    assert checkout.run().err == MAKING
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
    started = checkout.start(SLOW="0.3")
    deadline = time.monotonic() + 20
    while len(checkout.calls()) < step and time.monotonic() < deadline:
        time.sleep(0.01)
    started.kill()
    started.communicate()
    done = checkout.run()
    assert (done.code, done.err) == (0, MAKING)
    assert len(checkout.calls()) == step + 3
    assert [note.split()[0] for note in checkout.notes()] == ["start", "end"] * (step + 3)
    assert checkout.run().err == ""


def test_two_at_once_make_it_once(checkout):
    """The second waits for the first, finds the work done, and goes on."""
    both = [checkout.start(SLOW="0.15") for _ in range(2)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in both]
    assert [code for _out, _err, code in ended] == [0, 0]
    assert sorted(err for _out, err, _code in ended) == ["", MAKING]
    assert len(checkout.calls()) == 3


def test_unreachable_index_is_one_line(checkout):
    """A network that does not answer is named, with what to do; the next call tries again."""
    done = checkout.run(SAY="error: Failed to fetch x\n  Caused by: dns error")
    assert (done.code, done.out) == (1, "")
    assert done.err == MAKING + (
        "inv: the package index cannot be reached. Check the network or the proxy, then repeat.\n"
    )
    assert checkout.run().err == MAKING


def test_other_failure_shows_its_reason_and_keeps_the_rest(checkout):
    """The installer's own error stands in the line, all that it said in a log."""
    done = checkout.run(SAY="some\nERROR: hash of six differs\nmore")
    log = checkout.root / ".venv/set-up.log"
    assert done.code == 1
    assert done.err == MAKING + (
        f"inv: 'uv' failed: ERROR: hash of six differs (all of it: {log})\n"
    )
    assert log.read_text() == "some\nERROR: hash of six differs\nmore\n"


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


@pytest.fixture
def real_checkout(tmp_path: Path) -> Checkout:
    """Return a checkout that installs for real, with venv and pip, the task runner alone."""
    checkout = Checkout(tmp_path)
    checkout.uv.unlink()
    wanted, lines = ("invoke==", "flit-core=="), []
    for line in (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines():
        if not line.startswith(" "):
            keep = line.startswith(wanted)
        if keep and "#" not in line:
            lines.append(line)
    checkout.lock.write_text("\n".join(lines) + "\n")
    shutil.copytree(ROOT / "ops", checkout.root / "ops")
    (checkout.root / "tasks.py").write_text(
        "from invoke import task\n\n@task\ndef hello(c):\n    print('hello')\n"
    )
    return checkout


@pytest.mark.slow
def test_real_installation(real_checkout):
    """venv and pip install the hashed lock and the project, and the task runs."""
    first, second = real_checkout.run("hello"), real_checkout.run("hello")
    assert (first.code, first.out, first.err) == (0, "hello\n", MAKING)
    assert (second.code, second.out, second.err) == (0, "hello\n", "")


@pytest.mark.slow
def test_real_uv(real_checkout):
    """A real uv on PATH does the same."""
    real_checkout.uv.symlink_to(BIN / "uv")
    certificates = {name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ}
    first, second = (real_checkout.run("hello", **certificates) for _again in range(2))
    assert (first.code, first.out, first.err) == (0, "hello\n", MAKING)
    assert (second.code, second.out, second.err) == (0, "hello\n", "")


@pytest.mark.slow
def test_real_pip_without_an_index(real_checkout):
    """pip's own words for an index that does not answer are understood."""
    done = real_checkout.run(PIP_INDEX_URL="http://127.0.0.1:9/", PIP_CONFIG_FILE=os.devnull)
    assert (done.code, done.out) == (1, "")
    assert done.err == MAKING + (
        "inv: the package index cannot be reached. Check the network or the proxy, then repeat.\n"
    )


@pytest.mark.slow
def test_real_pip_with_a_wrong_hash(real_checkout):
    """A package whose hash is not the lock's is not installed, and the line says so."""
    lock = real_checkout.lock.read_text()
    real_checkout.lock.write_text(re.sub(r"sha256:\w{64}", "sha256:" + "0" * 64, lock))
    done = real_checkout.run("hello")
    assert (done.code, done.out) == (1, "")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.err
