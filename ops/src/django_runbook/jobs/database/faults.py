"""What a database error means for a batch: repeat it, halve it, reconnect, or give up.

The codes are PostgreSQL's (manual, appendix A), SQLite's (result codes) and those of MySQL and
MariaDB (error references).
"""

import enum
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError

from django_runbook.text.cleaning import clean

#: serialization failure, deadlock, lock timeout
POSTGRESQL_REPEAT = {"40001", "40P01", "55P03"}
#: canceled, by statement_timeout as a rule
POSTGRESQL_HALVE = {"57014"}
#: shut down by hand, by a crash, starting up, too many connections; class 08 is the connection
POSTGRESQL_RECONNECT = {"57P01", "57P02", "57P03", "53300"}
SQLITE_REPEAT = {5, 6}  # SQLITE_BUSY, SQLITE_LOCKED
MYSQL_REPEAT = {1205, 1213}  # lock wait timeout, deadlock
MYSQL_HALVE = {1969, 3024}  # max_statement_time (MariaDB), max_execution_time (MySQL)
MYSQL_RECONNECT = {1040, 1053, 1927, 2002, 2003, 2006, 2013}

#: What can be a matter of one row. PostgreSQL's classes: more than one row of a subquery, data,
#: constraints, triggers, functions, privileges and names in them, checks of a view, limits such as
#: the size of a row, what PL/pgSQL raises, rows that are broken on the disk.
POSTGRESQL_ROW = ("21", "22", "23", "27", "38", "39", "42", "44", "54", "P0", "XX")
SQLITE_ROW = {1, 18, 19, 20}  # SQLITE_ERROR, as of broken JSON; TOOBIG, CONSTRAINT, MISMATCH
MYSQL_ROW = {1442, 1644}  # what a trigger may not do, and what it raises by SIGNAL

FIRST_WAIT = 0.05  # seconds
LONGEST_WAIT = 5.0
PATIENCE = 120.0  # seconds of waiting for one batch, enough for a server to start again

#: The system's own: no two processes wait for the same time.
CHANCE = random.SystemRandom()
T = TypeVar("T")


class Fault(enum.Enum):
    """What helps."""

    REPEAT = "repeat"
    HALVE = "halve"
    RECONNECT = "reconnect"


def fault(error: Error, connection: Any) -> Fault | None:
    """Return what helps against a database error; None where nothing does but a person."""
    if connection.vendor == "postgresql":
        return _postgresql(error, connection)
    if connection.vendor == "sqlite":
        code = getattr(error.__cause__, "sqlite_errorcode", None)
        return Fault.REPEAT if code is not None and code & 0xFF in SQLITE_REPEAT else None
    if connection.vendor == "mysql":
        return _mysql(error)
    return None


def _postgresql(error: Error, connection: Any) -> Fault | None:
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    if state in POSTGRESQL_REPEAT:
        return Fault.REPEAT
    if state in POSTGRESQL_HALVE:
        return Fault.HALVE
    # The driver learns late that its session is closed. What is FATAL ends it, such as 25P03 after
    # a laptop's sleep; what has no state did not come from the server.
    gone = connection.connection is None or connection.connection.closed
    broken = not state and isinstance(error, OperationalError | InterfaceError)
    severity = getattr(getattr(cause, "diag", None), "severity_nonlocalized", None)
    if gone or broken or severity in {"FATAL", "PANIC"}:
        return Fault.RECONNECT
    return Fault.RECONNECT if state in POSTGRESQL_RECONNECT or state[:2] == "08" else None


def _mysql(error: Error) -> Fault | None:
    if isinstance(error, InterfaceError):
        return Fault.RECONNECT
    code = cast("int | None", error.args[0] if error.args else None)
    if code in MYSQL_REPEAT:
        return Fault.REPEAT
    if code in MYSQL_HALVE:
        return Fault.HALVE
    return Fault.RECONNECT if code in MYSQL_RECONNECT else None


def is_of_a_row(error: Error, connection: Any) -> bool:
    """Tell whether an error can be one of a single row, so that the others may pass without it."""
    if fault(error, connection) is not None:
        return False
    if isinstance(error, IntegrityError | DataError):
        return True
    cause = error.__cause__
    if connection.vendor == "postgresql":
        return (getattr(cause, "sqlstate", None) or "").startswith(POSTGRESQL_ROW)
    if connection.vendor == "sqlite":
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE_ROW
    return connection.vendor == "mysql" and bool(error.args) and error.args[0] in MYSQL_ROW


class Patience:
    """How long to wait before the next try, with jitter, until ``PATIENCE`` seconds are over."""

    def __init__(self, patience: float | None = None) -> None:
        self._end = time.monotonic() + (PATIENCE if patience is None else patience)
        self._longest = FIRST_WAIT

    def next(self) -> float | None:
        """Return the seconds to wait; None where it has taken too long already."""
        if time.monotonic() >= self._end:
            return None
        wait = CHANCE.uniform(0.5, 1) * self._longest
        self._longest = min(self._longest * 2, LONGEST_WAIT)
        return wait


def patiently(connection: Any, work: Callable[[], T], seconds: float | None = None) -> T:
    """Do what may be done twice, again until it passes; connect again where that helps.

    Raises the database's error where nothing helps, or not within ``seconds`` (``PATIENCE``).
    """
    patience = Patience(seconds)
    while True:
        try:
            return work()
        except Error as error:
            kind, wait = fault(error, connection), patience.next()
            if kind is None or wait is None or connection.in_atomic_block:
                raise
        time.sleep(wait)
        if kind is Fault.RECONNECT:
            connection.close()


def one_line(error: BaseException) -> str:
    """Return what the database said, without the query and its hints."""
    text = str(error).strip().partition("\n")[0]
    return clean(text) or type(error).__name__
