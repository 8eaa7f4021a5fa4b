"""The body of a project's `manage.py`: Django's command line, with one line for what goes wrong."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is silent while Django is imported

import os
import sys
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Never

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility, get_commands, handle_default_options
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    SystemCheckError,
)
from django.db import Error, InternalError, OperationalError

from django_runbook.schema.secrets import masked, shown
from django_runbook.text import streams
from django_runbook.text.places import place
from django_runbook.text.reasons import helps, reason

__all__ = ["main"]

USAGE = 2
PIPE_CLOSED = 141
INTERRUPTED = 130
UNREACHED = (InternalError, OperationalError)  # psycopg calls a read-only server an internal error
#: SQLSTATEs of PostgreSQL (manual, appendix A), errors of MySQL, words of SQLite.
FORBIDDEN = ("42501", 1044, 1142, 1143)
MISSING = ("42P01", "42703", "3F000", 1146, 1054)
MISSING_IN_SQLITE = ("no such table", "no such column")
CONNECT = ("get_connection_params", "get_new_connection")  # of every backend of Django


def main(settings_module: str) -> None:
    """Run the management command in ``sys.argv``; ``settings_module`` where none is named.

    Whatever goes wrong ends with one line on standard error, without secrets; ``--traceback`` shows
    where it happened. The exit code is the command's own, else 1. Ctrl-C is 130, a reader that has
    gone 141, both silent.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings_module)
    streams.require()
    try:
        _execute()
    except BrokenPipeError as error:
        streams.discard_output()
        sys.exit(_code(error, PIPE_CLOSED))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001  # one line for each class of them
        streams.discard_output()
        if "--traceback" in _own(sys.argv):
            said = masked("".join(traceback.format_exception(error))).rstrip()
        else:
            said = explain(error)
        streams.tell(said)
        sys.exit(_code(error, 1))


def explain(error: Exception) -> str:
    """Return what was wrong, where, and what to look at, in one line."""
    return " ".join(shown(_explained(error)).split())


class Utility(ManagementUtility):
    """Django's, which takes ``--settings`` and ``--pythonpath`` before anything asks for them."""

    def prepare(self) -> None:
        """Take the two as ``execute`` does, for this process and those that it starts."""
        parser = CommandParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--settings")
        parser.add_argument("--pythonpath")
        parser.add_argument("args", nargs="*")
        try:
            options, _rest = parser.parse_known_args(self.argv[2:])
        except CommandError:
            return  # the command's own parser says it
        if options.settings:
            os.environ["DJANGO_SETTINGS_MODULE"] = options.settings
        if options.pythonpath:  # `execute` puts it into this process's own path
            before = os.environ.get("PYTHONPATH")
            paths = [str(Path(options.pythonpath).resolve()), *([before] if before else [])]
            os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        handle_default_options(options)

    def fetch_command(self, subcommand: str) -> BaseCommand:
        """Return the command, whose errors are cleaned, and whose wrong usage is one line."""
        if subcommand not in (known := get_commands()):
            near = get_close_matches(subcommand, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"'{self.prog_name} help' lists them."
            streams.tell(shown(f"Unknown command: {subcommand!r}. {hint}"))
            sys.exit(USAGE)
        command = super().fetch_command(subcommand)
        execute, create_parser = command.execute, command.create_parser

        def cleaned(*args: Any, **options: Any) -> str | None:
            try:
                return execute(*args, **options)
            except SystemCheckError as error:  # has its own colours and lines
                error.args = (masked(str(error)), *error.args[1:])
                raise
            except CommandError as error:
                error.args = (shown(str(error)), *error.args[1:])
                raise

        def parser(*args: Any, **options: Any) -> CommandParser:
            made = create_parser(*args, **options)
            vars(made).update(error=_wrong_usage(made))
            return made

        vars(command).update(execute=cleaned, create_parser=parser)
        return command


def _execute() -> None:
    """Run the command; what it printed is written before this ends, however it ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _honour_no_colour()
    utility = Utility(sys.argv)
    try:
        utility.prepare()
        _ = settings.INSTALLED_APPS  # Django's own commands would go on without settings
        utility.execute()
    finally:
        sys.stdout.flush()


def _wrong_usage(parser: CommandParser) -> Any:
    """Return what ends the command with one line and exit code 2, in place of its whole usage."""

    def error(message: str) -> Never:
        if not parser.called_from_command_line:
            raise CommandError(f"Error: {message}")
        words = [*parser.prog.split(), "--help"]
        said = " ".join(shown(message).split())
        streams.tell(f"{parser.prog}: {said}. See '{' '.join(words)}'.")
        sys.exit(USAGE)

    return error


def _explained(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"Syntax: {error.msg} ({place(error)}); --traceback shows more."
    if isinstance(error, Error) or _is_connecting(error):
        return f"Database: {_database(error)}; --traceback shows more."
    if isinstance(error, ImproperlyConfigured):
        return f"Settings: {error}"
    if isinstance(error, ImportError):
        return f"Import: {error} ({place(error)}); --traceback shows more."
    heading = {OSError: "System: ", UnicodeError: "Text: ", OverflowError: "Number: "}
    kind = next((said for known, said in heading.items() if isinstance(error, known)), "")
    return f"{kind}{reason(error)} ({place(error)}). {helps(error)}--traceback shows more."


def _database(error: Exception) -> str:
    """Return what the database or its driver said, without the query, and what to look at."""
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or next(iter(getattr(cause, "args", ())), None)
    if code in FORBIDDEN:
        return f"{said}. Give the role that right, or use another role in DATABASE_URL"
    if code in MISSING or said.startswith(MISSING_IN_SQLITE):
        return f"{said}. 'inv db.show' tells what is not applied, 'inv db.migrate' applies it"
    if isinstance(error, UNREACHED) or not isinstance(error, Error):
        return f"{said}. Check DATABASE_URL and the server"
    if _is_connecting(error):
        return f"{said}. Check DATABASE_URL and its options"
    return f"{said} ({place(error)})"


def _is_connecting(error: Exception) -> bool:
    """Tell whether it happened while a backend of Django made its connection."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.name in CONNECT for frame in frames)


def _code(error: BaseException, code: int) -> int:
    """Return the exit code that was meant when this came between, such as a full disk's."""
    for each in _chain(error):
        meant = getattr(each, "returncode", None) if isinstance(each, CommandError) else None
        meant = each.code if isinstance(each, SystemExit) else meant
        if isinstance(meant, int) and meant:
            return meant
    return code


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__


def _own(argv: list[str]) -> list[str]:
    """Return the words that are this command's, not those it passes on behind ``--``."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _honour_no_colour() -> None:
    """Let Django's own errors be plain where colours are not wanted; ``--force-color`` wins."""
    if streams.plain() and "--force-color" not in _own(sys.argv):
        os.environ["DJANGO_COLORS"] = "nocolor"
