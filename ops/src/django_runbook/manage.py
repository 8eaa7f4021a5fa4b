"""The body of a project's `manage.py`: Django's command line, with one line for what goes wrong."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is silent while Django is imported

import os
import sys
import traceback
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import InternalError, OperationalError

__all__ = ["main"]

PIPE_CLOSED = 141
INTERRUPTED = 130
DATABASE = (InternalError, OperationalError)  # psycopg calls a read-only server an internal error


def main(settings_module: str) -> None:
    """Run the management command in ``sys.argv``; ``settings_module`` where none is named.

    A setting or an import that is wrong, and a database that cannot be reached, end with one line
    on standard error and exit code 1; ``--traceback`` shows where it happened. Ctrl-C is 130, a
    reader that has gone 141, both silent.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings_module)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _ = settings.INSTALLED_APPS  # Django's own commands would go on without settings
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (*DATABASE, ImproperlyConfigured, ImportError, SyntaxError) as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(explain(error))


def explain(error: Exception) -> str:
    """Return what was wrong, where, and what to look at, in one line."""
    reason = " ".join(str(error).split())
    if isinstance(error, ImproperlyConfigured):
        return f"Settings: {reason}"
    if isinstance(error, DATABASE):
        reason = str(error).partition("\n")[0]
        return f"Database: {reason}. Check DATABASE_URL and the server; --traceback shows more."
    if isinstance(error, SyntaxError):
        return f"Syntax: {error.msg} ({_place(error)}); --traceback shows more."
    return f"Import: {reason} ({_place(error)}); --traceback shows more."


def _place(error: Exception) -> str:
    """Return the file and line of the project's own code that an import failed in."""
    if isinstance(error, SyntaxError):
        return f"{_short(error.filename)}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "-packages" not in frame.filename]
    own = [frame for frame in own if Path(frame.filename).is_file()]  # not <frozen importlib>
    standard_library = Path(os.__file__).parent
    own = [frame for frame in own if not Path(frame.filename).is_relative_to(standard_library)]
    last = own[-1] if own else frames[-1]
    return f"{_short(last.filename)}, line {last.lineno}"


def _short(file: str | None) -> str:
    """Return a file as a person in the current folder would type it."""
    path, here = Path(file or "no file"), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
