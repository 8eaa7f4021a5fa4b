"""Starts real commands, in an environment that holds nothing of this machine but PATH."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SETTINGS = {"ENV_FILE": os.devnull, "DEBUG": "true", "SECRET_KEY": "only-for-tests"}


#: Starts Python from sh, for a shebang takes no path with a space.
HEAD = """#!/bin/sh
''':'; exec {python} "$0" "$@"
'''
"""


def write_program(file: Path, body: str) -> None:
    """Write a program in Python that can be run by its name."""
    file.write_text(HEAD.format(python=shlex.quote(sys.executable)) + body, "utf-8")
    file.chmod(0o755)


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


class Commands:
    """Runs `inv` and `manage.py` of this checkout."""

    python = shlex.quote(
        str(BIN.relative_to(ROOT) / "python") if BIN.is_relative_to(ROOT) else sys.executable
    )

    def __init__(self, home: Path) -> None:
        self.home = home

    def env(self, extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return PATH, a home of its own, settings, and ``extra``, where None takes one out."""
        values = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "TERM": "xterm",
            "COLUMNS": "100",
            **SETTINGS,
            **(extra or {}),
        }
        return {name: value for name, value in values.items() if value is not None}

    def run(
        self, *argv: str | Path, cwd: Path = ROOT, stdin: str = "", **extra: str | None
    ) -> Done:
        """Run a command to its end; keywords are variables of its environment."""
        done = subprocess.run(
            list(map(str, argv)),
            cwd=cwd,
            env=self.env(extra),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def inv(self, *argv: str, cwd: Path = ROOT, **extra: str | None) -> Done:
        """Run `inv`."""
        return self.run(BIN / "inv", "--search-root", ROOT, *argv, cwd=cwd, **extra)

    def manage(self, *argv: str, **extra: str | None) -> Done:
        """Run `manage.py`."""
        return self.run(sys.executable, ROOT / "backend/manage.py", *argv, **extra)

    def terminal(self, *argv: str, **extra: str | None) -> "pexpect.spawn[str]":
        """Start `inv` in a pseudo-terminal."""
        return pexpect.spawn(
            str(BIN / "inv"),
            list(argv),
            cwd=ROOT,
            env=self.env(extra),
            encoding="utf-8",
            timeout=20,
        )
