"""What can be refused or go wrong in the jobs app."""

from typing import Any

from django_runbook.text.cleaning import unbroken


class RefusedError(Exception):
    """A guard forbids the run; nothing was changed. The message says which, and how to go on.

    In one line, whatever the names in it are made of. ``refused`` is the run that stands in the
    ledger for it, if one does that nobody has been told of.
    """

    refused: Any = None

    def __init__(self, message: str) -> None:
        super().__init__(unbroken(message))


class StoppedError(Exception):
    """The end was asked for, and what was being waited for was broken off. The message is who."""


class FencedError(Exception):
    """Another run has taken this one's place: its batch was rolled back, and it must end."""


class FailedError(Exception):
    """A run failed. The message holds what was done before, and stays done."""


class UnknownRunError(Exception):
    """There is no such run. The message names it and where to look."""


class BrokenLedgerError(FailedError):
    """A row of the ledger does not say what it must. The message says which row, and what."""


class SkippedError(RefusedError):
    """A run with ``overlap = "skip"`` came while another was under way: ``run`` says so."""

    def __init__(self, message: str, run: int) -> None:
        super().__init__(message)
        self.run = run
