"""What applying migrations takes, and what it came to: frozen, and printed elsewhere."""

from dataclasses import dataclass
from enum import Enum

from django_runbook.schema.history.graph import Key


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a statement may take: seconds, where 0 leaves what the server has.

    ``retries`` is how often a migration that got no lock is tried again. ``client_check``: let the
    server look every second whether this process lives, also within a statement.
    """

    lock_timeout: float = 2.0
    statement_timeout: float = 0.0
    retries: int = 10
    client_check: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """A migration that was applied, undone, or recorded without being run (``faked``)."""

    app_label: str
    name: str
    backwards: bool = False
    faked: bool = False
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return the migration as ``app.name``."""
        return f"{self.app_label}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A session that keeps a lock from us; ``query`` stops before its first literal value."""

    pid: int
    application: str = ""
    state: str = ""
    seconds: float = 0.0
    query: str = ""


@dataclass(frozen=True, kw_only=True)
class LockWait:
    """A lock that is waited for, and who holds it."""

    on: str
    mode: str
    holders: tuple[Holder, ...]


class Reason(Enum):
    """Why a plan ended before its end."""

    FAILED = "failed"
    NO_LOCK = "no lock"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Point:
    """The migration in which a plan ended, and how far that had come.

    ``operation`` is the index of the one that was begun last, None before the first; ``closing``
    that all were done, and it ended in what Django holds back, in the commit or in the recording.
    ``recorded`` is what the database says afterwards, None where it could not be asked.
    ``invalid`` are PostgreSQL's indexes that an interrupted CONCURRENTLY leaves behind.
    Without a transaction: ``statements`` of the operation that was begun last are committed, and
    ``last`` is the last of them; ``held_back`` is what Django left for the end and did not do; what
    became of ``broken`` nobody knows, as the connection was lost; ``remains`` is whether something
    was there, or was missing, as after a run that was broken off.
    """

    migration: Key
    backwards: bool
    atomic: bool
    operations: tuple[str, ...]
    operation: int | None = None
    closing: bool = False
    written: bool = False
    recorded: bool | None = None
    invalid: tuple[str, ...] = ()
    place: str = ""
    statements: int = 0
    last: str = ""
    held_back: tuple[str, ...] = ()
    broken: str = ""
    remains: bool = False

    @property
    def half_done(self) -> bool:
        """Whether something of it is, or can be, in the database and something is not."""
        begun = self.written or self.closing or bool(self.broken)
        return not self.atomic and self.recorded is not None and begun


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where the database stands after a plan that did not come to its end.

    ``point`` is None where it ended between two migrations. ``left`` begins with the migration that
    did not come through. ``back`` leads to the state before: an app and a migration (or ``zero``)
    each, empty where nothing was done; ``no_way_back`` names what cannot be undone.
    """

    reason: Reason
    message: str
    done: tuple[Step, ...]
    left: tuple[str, ...]
    point: Point | None = None
    back: tuple[Key, ...] = ()
    no_way_back: tuple[str, ...] = ()
    wait: LockWait | None = None
    tries: int = 1
