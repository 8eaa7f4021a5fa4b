"""The process's own streams where they are closed, full, or want no colours."""

import os
import sys


def tell(line: str) -> None:
    """Write a line to standard error; where nothing can be written, no exit code changes."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr.fileno())  # what is left of it would make an exit code of its own


def require() -> None:
    """End with one line where standard output is closed: a file or a socket would get its number.

    Standard input and standard error that are closed lead nowhere.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None and name != "stdout":
            _discard(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))
    if sys.stdout is None:
        tell("Output: standard output is closed. Send it to a file, or to /dev/null.")
        sys.exit(1)


def discard_output() -> None:
    """Let what is still to be written lead nowhere, where it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard(sys.stdout.fileno())


def plain() -> bool:
    """Tell whether the environment asks for no colours (no-color.org; terminfo's ``dumb``)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def _discard(number: int) -> None:
    """Let a descriptor lead nowhere."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
