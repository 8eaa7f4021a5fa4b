"""What can be refused or go wrong in the jobs app."""


class RefusedError(Exception):
    """A guard forbids the run; nothing was changed. The message says which, and how to go on."""


class FencedError(Exception):
    """Another run has taken this one's place: its batch was rolled back, and it must end."""


class FailedError(Exception):
    """A run failed. The message holds what was done before, and stays done."""


class UnknownRunError(Exception):
    """There is no such run. The message names it and where to look."""
