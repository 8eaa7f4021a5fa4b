"""What the words mean that a wrapped command is given: its own parser says it."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError

from django_runbook.jobs.management.base import JobCommand, RecordedCommand

DRY, AS_OF = "--dry-run", "--as-of"
KIT = "django_runbook."


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a command would make of its words.

    ``does_nothing``: it would print its help or its version, or, ``dry``, only say what it would
    do. ``one_json``: its ``--json`` prints its result as one object. ``own``: it is one of the
    kit's, whose exit codes 3 and 4 mean refused and stopped early.
    """

    does_nothing: bool = False
    dry: bool = False
    takes_as_of: bool = False
    one_json: bool = False
    own: bool = False


def read(name: str, words: Sequence[str]) -> Words:
    """Read the words as the command's own parser does: abbreviated, with = or in any order.

    Of words that it does not take nothing is known, nor where the command cannot be loaded: the
    command will say so itself, and that is a failure.
    """
    with contextlib.suppress(Exception):
        return _read(_load(name), name, words)
    return Words()


def _read(command: BaseCommand, name: str, words: Sequence[str]) -> Words:
    sink, flags = io.StringIO(), dict[str, str]()
    try:
        parser = command.create_parser("manage.py", name)
        for action in parser._actions:
            flags |= dict.fromkeys(action.option_strings, action.dest)
        known = {
            "takes_as_of": AS_OF in flags,
            "one_json": isinstance(command, JobCommand),
            "own": isinstance(command, RecordedCommand) or type(command).__module__.startswith(KIT),
        }
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            parsed = parser.parse_args(list(words))
    except SystemExit as end:  # argparse has printed what was asked for
        return Words(does_nothing=not end.code)
    except CommandError:
        return Words(**known)
    dry = getattr(parsed, flags.get(DRY, "dry_run"), False)
    return Words(does_nothing=bool(dry), dry=bool(dry), **known)


def _load(name: str) -> BaseCommand:
    app = get_commands()[name]
    return app if isinstance(app, BaseCommand) else load_command_class(app, name)
