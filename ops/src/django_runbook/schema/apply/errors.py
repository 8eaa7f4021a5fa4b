"""Why applying was refused or came to no good end."""

from django_runbook.schema.apply.steps import Standing


class LockedError(Exception):
    """Another migrator is at work, and did not end in time. Nothing was changed."""


class LostLockError(Exception):
    """The lock that keeps other migrators away is gone: its connection was closed."""


class UnsupportedError(Exception):
    """The database has not what an option asks for."""


class EndedError(Exception):
    """A plan ended before its end; ``standing`` says where the database stands."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(standing.message)
        self.standing = standing
