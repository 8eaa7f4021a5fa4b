"""How `inv` ends where something goes wrong: one line, without secrets, and the right exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from invoke import Exit, Failure, ParseError

from django_runbook.text import streams
from django_runbook.text.cleaning import clean
from django_runbook.text.masking import masked
from django_runbook.text.reasons import helps, reason

INTERRUPTED = 130
PIPE_CLOSED = 141


@contextmanager
def in_one_line(*, debug: bool) -> Iterator[None]:
    """Raise ``Exit`` for whatever goes wrong in the body, or let it through with ``debug``.

    Ctrl-C is 130, a reader that has gone 141, both silent. What was printed is written, or the
    place where it cannot be written is named.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        raise Exit(code=INTERRUPTED) from error
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Exit(code=PIPE_CLOSED) from error
    except Exit as end:
        end.message = clean(masked(end.message)) if end.message else end.message
        raise
    except (Failure, ParseError):
        raise  # Invoke's own ends, with their own codes
    except Exception as error:
        streams.discard_output()
        if debug:
            raise
        meant = error.__context__  # what came to an end when the output could not be written
        code = meant.code if isinstance(meant, Exit) else 0
        said = f"{clean(masked(reason(error)))}. {helps(error)}'inv --debug' shows where."
        raise Exit(said, code=code or 1) from error
