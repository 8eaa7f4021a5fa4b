"""What can be refused or missing in the schema app."""


class UnappliedError(Exception):
    """Migrations are not applied. The message names the first and the command to run."""


class NoClientError(Exception):
    """The database's client program is not installed. The message says how to get it."""


class NotHandedOnError(NoClientError):
    """No client program can be told what OPTIONS say, and would go or connect otherwise.

    The message names the option and says what to do.
    """


class NotReadOnlyError(Exception):
    """A shell that should only read was not started: the server did not say that it does so.

    ``asked``: it answered, and the session could have written.
    """

    def __init__(self, message: str, *, asked: bool) -> None:
        super().__init__(message)
        self.asked = asked


class BackupRefusedError(Exception):
    """A backup or a restore was refused; nothing was changed. The message says what mends it."""


class BackupFailedError(Exception):
    """A backup or a restore failed, and left all as it was. The message holds the client's own."""


class NoServerError(Exception):
    """There is no PostgreSQL server for scratch databases. The message says how to get one."""


class OtherDatabaseError(Exception):
    """A migration that is tried out asked another database than the one that it is for."""


class MigrationsError(Exception):
    """The migrations cannot be used as they are. The message names the file and what mends it."""


class GuardError(Exception):
    """A protected target was not confirmed; nothing was touched. The message says how to."""
