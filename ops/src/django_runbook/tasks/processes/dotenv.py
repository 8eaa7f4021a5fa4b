"""Gives a fresh checkout its `.env`, from `.env.example`."""

import os
import sys
from pathlib import Path

from invoke import Exit


def ensure(root: Path, *, dry: bool = False) -> None:
    """Make ``.env`` where there is none, with a random SECRET_KEY, readable by its owner alone.

    Not where CI or DATABASE_URL is set: there the environment speaks, and what it leaves out must
    fail. Under ``dry`` no file is made; the processes of this task get its variables instead.
    Raises ``Exit`` for an example that is not UTF-8.
    """
    file, example = root / ".env", root / ".env.example"
    if file.exists() or not example.exists() or any(map(os.environ.get, ("CI", "DATABASE_URL"))):
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
    import tempfile

    with tempfile.NamedTemporaryFile("w", dir=root, prefix=".env.", encoding="utf-8") as new:
        new.write(text)
        new.flush()
        try:
            os.link(new.name, file)
        except FileExistsError:
            return  # another task was faster; its key holds
    print("Made .env from .env.example, with a random SECRET_KEY.", file=sys.stderr)


def filled_in(example: str) -> str:
    """Return the text of ``.env.example`` with a random key after a bare ``SECRET_KEY=``."""
    import secrets

    key = f"SECRET_KEY={secrets.token_urlsafe(50)}"
    return "\n".join(key if line == "SECRET_KEY=" else line for line in example.split("\n"))
