"""What can be refused or missing in the schema app."""


class UnappliedError(Exception):
    """Migrations are not applied. The message names the first and the command to run."""


class NoClientError(Exception):
    """The database's client program is not installed. The message says how to get it."""


class BackupRefusedError(Exception):
    """A backup or a restore was refused; nothing was changed. The message says what mends it."""


class BackupFailedError(Exception):
    """A backup or a restore failed, and left all as it was. The message holds the client's own."""
