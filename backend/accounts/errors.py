"""What can be refused in the accounts app."""

from django_runbook import jobs


class RefusedError(jobs.RefusedError):
    """A rule forbids the call; nothing was changed. The message says which, and what to do."""
