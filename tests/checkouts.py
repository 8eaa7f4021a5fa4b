"""A copy of this checkout; one with a `uv` that only pretends, and what `./inv` says then."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.commands import ROOT, Done

MAKING = "inv: making .venv from requirements-dev.txt, once\n"
STEPS = (
    "inv: step 1 of 3: an empty environment\n",
    "inv: step 2 of 3: the packages of requirements-dev.txt\n",
    "inv: step 3 of 3: the kit, from ops/\n",
)
MADE = MAKING + "".join(STEPS)
#: What is said before the second step fails.
HALF = MAKING + "".join(STEPS[:2])
WAITING = "inv: another process makes .venv: waiting for it\n"
STOPPED = "inv: stopped. .venv is not complete: the next ./inv makes it anew.\n"
FAKE_UV = """#!{python}
import json, os, pathlib, sys, time
root = pathlib.Path({root!r})
def note(word):
    with open(root / "calls", "a") as calls:
        calls.write(" ".join([word, *sys.argv[1:]]) + "\\n")
note("start")
(root / "environment").write_text(json.dumps(dict(os.environ)))
if sys.argv[1] == "venv":
    (root / ".venv/bin").mkdir(parents=True, exist_ok=True)
    python = root / ".venv/bin/python"
    python.unlink(missing_ok=True)
    python.symlink_to({python!r})
    (root / ".venv/pyvenv.cfg").write_text("home = " + os.path.dirname({python!r}))
    packages = root / ".venv/lib/python{{}}.{{}}/site-packages".format(*sys.version_info)
    (packages / "django_runbook").mkdir(parents=True, exist_ok=True)
    (packages / "django_runbook/launch.py").write_text({launch!r})
try:
    print(os.environ.get("SAY", ""), flush=True)
except BrokenPipeError:  # who started it was killed, and an installer goes on
    sys.stdout = open(os.devnull, "w")
number = (root / "calls").read_text().count("start")
if os.environ.get("SLOW_STEP", str(number)) == str(number):
    time.sleep(float(os.environ.get("SLOW", "0")))
note("end")
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


def copy_project(folder: Path) -> Path:
    """Make a checkout without `.env` and databases in a folder with a space in its name."""
    root = folder / "a copy"
    ignored = shutil.ignore_patterns(".venv", ".git", ".env", "__pycache__", ".*cache", "var")
    shutil.copytree(ROOT, root, ignore=ignored)
    (root / "var").mkdir()
    subprocess.run(["git", "init", "--quiet", root], check=True)
    return root


class Checkout:
    """A checkout in a folder with a space in its name, with a `uv` that only pretends."""

    def __init__(self, folder: Path, name: str = "a checkout") -> None:
        self.root = folder / name
        self.root.mkdir(parents=True)
        self.inv = self.root / "inv"
        self.inv.write_bytes((ROOT / "inv").read_bytes())
        self.inv.chmod(0o755)
        (self.root / "ops").mkdir()
        (self.root / "ops/set_up.py").write_bytes((ROOT / "ops/set_up.py").read_bytes())
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
