"""Gives a fresh checkout its `.env`, from `.env.example`, where that is asked for.

A deployed image may hold the example as well: its DEBUG is not to be switched on there.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from invoke import Exit

#: Variables that say that the environment speaks.
SPEAKS = ("CI", "DATABASE_URL", "SECRET_KEY")
KEY = "SECRET_KEY="


def ensure(root: Path, *, dry: bool = False, env: Mapping[str, str] | None = None) -> None:
    """Make ``.env`` where there is none, with a random SECRET_KEY, readable by its owner alone.

    In a checkout alone, and not where one of ``SPEAKS`` is set, here or in ``env``: there the
    environment speaks, and what it leaves out must fail. Under ``dry`` no file is made; the
    processes of this task get its variables instead. Raises ``Exit`` for an example that is not
    UTF-8, and in a checkout that cannot be written.
    """
    file, example = root / ".env", root / ".env.example"
    known = {**os.environ, **(env or {})}
    if file.exists() or not example.exists() or any(map(known.get, SPEAKS)):
        return
    if not (root / ".git").exists():
        return
    try:
        text = filled_in(example.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise Exit(f"{example} is not UTF-8. Save it as that.", code=1) from error
    if dry:
        pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#")
        for name, value in pairs:
            os.environ.setdefault(name, value)
        return
    try:
        _make(file, text)
    except OSError as error:
        raise Exit(
            f"{file} cannot be made: {error.strerror}. Set DATABASE_URL and SECRET_KEY in the "
            "environment, or make the checkout writable.",
            code=1,
        ) from error


def _make(file: Path, text: str) -> None:
    """Make a file whole, unless another task is faster. Raises ``OSError``."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".env.", encoding="utf-8") as new:
        new.write(text)
        new.flush()
        try:
            os.link(new.name, file)
        except FileExistsError:
            return  # another task was faster; its key holds
    print("Made .env from .env.example, with a random SECRET_KEY.", file=sys.stderr)


def filled_in(example: str) -> str:
    """Return the text of ``.env.example`` with a random key, whichever stands there."""
    import secrets

    key = f"{KEY}{secrets.token_urlsafe(50)}"
    return "\n".join(key if line.startswith(KEY) else line for line in example.split("\n"))
