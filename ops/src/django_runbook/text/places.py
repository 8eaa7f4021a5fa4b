"""Says where in the project's own code something went wrong."""

import os
import sys
import traceback
from pathlib import Path

KIT = Path(__file__).resolve().parents[1]
#: Where all begins, which says nothing.
START = (KIT / "launch.py", KIT / "manage.py")


def place(error: BaseException, *, kit: bool = True) -> str:
    """Return the file and line of the project's own code in which an error was raised.

    Packages, the standard library and the program that was started are none of it; the kit counts
    as own unless ``kit`` is false. Where nothing is own, it is the last file there is.
    """
    if isinstance(error, SyntaxError):
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{short(error.filename)}{line}"
    frames = traceback.extract_tb(error.__traceback__)
    files = [frame for frame in frames if Path(frame.filename).is_file()]  # not <frozen importlib>
    library = Path(os.__file__).parent
    start = (*START, Path(getattr(sys.modules["__main__"], "__file__", None) or ""))
    own = [
        frame
        for frame in files
        if "-packages" not in frame.filename
        and Path(frame.filename) not in start
        and not Path(frame.filename).is_relative_to(library)
        and (kit or not Path(frame.filename).is_relative_to(KIT))
    ]
    last = next(reversed(own or files or frames), None)
    return f"{short(last.filename)}, line {last.lineno}" if last else "no file"


def short(file: str | None) -> str:
    """Return a file as a person in the current folder would type it."""
    path, here = Path(file or "no file"), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
