"""Asks git, in its own language, whatever the hook."""

import os
import subprocess
from pathlib import Path

#: What git sets for a hook would point it at another repository, and keep it off submodules.
HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


def git(
    folder: Path, *arguments: str, text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run git in a folder to its end, with ``text`` on its standard input."""
    argv = ["git", "-C", str(folder), *arguments]
    env = {name: value for name, value in os.environ.items() if name not in HOOKS}
    return subprocess.run(
        argv,
        env={**env, "LC_ALL": "C"},
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
