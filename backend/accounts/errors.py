"""What can be refused in the accounts app."""


class RefusedError(Exception):
    """A rule forbids the call; nothing was changed. The message says which, and what to do."""
