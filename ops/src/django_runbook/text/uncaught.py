"""What `inv` says of an error that nobody caught, such as one in `tasks.py` itself.

Invoke catches its own errors alone, and prints the traceback of any other.
"""

import sys
from collections.abc import Sequence
from types import TracebackType

from django_runbook.text import streams
from django_runbook.text.cleaning import one_line
from django_runbook.text.masking import masked
from django_runbook.text.reasons import helps, reason

#: Options that show all of it: the kit's, and Invoke's own, which logs what it does besides.
SHOWING = {"--traceback", "--debug", "-d"}


def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write one line to standard error, or all where an option asks: for ``sys.excepthook``."""
    import traceback  # here, because no task needs it that goes well

    if shows_all(sys.argv):
        streams.tell(masked("".join(traceback.format_exception(kind, error, trace))).rstrip())
    else:
        streams.tell(one_line(masked(explained(error))))


def shows_all(argv: Sequence[str]) -> bool:
    """Tell whether a command line asks for tracebacks, before what it passes on."""
    own = argv[: argv.index("--")] if "--" in argv else argv
    return not SHOWING.isdisjoint(own)


def explained(error: BaseException) -> str:
    """Return what was wrong, where, and what to do."""
    from django_runbook.text.places import place

    where, mend = place(error, kit=False), "Mend that"
    if isinstance(error, SyntaxError):
        what = f"Syntax: {error.msg}"
        where = where if error.filename else "tasks.py, or what it imports"
    elif isinstance(error, ImportError):
        what = f"Import: {error}"
        mend = "Install it, or mend that" if isinstance(error, ModuleNotFoundError) else mend
    else:
        what, mend = reason(error), helps(error).rstrip(". ") or mend
    return f"{what} ({where}). {mend}; 'inv --traceback' shows more."
