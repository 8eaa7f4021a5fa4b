"""What a PostgreSQL transaction has done so far: locks, rewritten files, rows read and changed.

Scans by which ALTER TABLE validates (CHECK, NOT NULL, foreign keys) and by which an index is built
do count in ``pg_stat_xact_user_tables``: measured on PostgreSQL 18, rows of the table each. Locks
are held to the end of the transaction, so that a later operation works under an earlier one's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper

#: From the weakest to the strongest, as the PostgreSQL manual lists them (13.3.1).
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
#: Under these nobody can write, while reading goes on.
NO_WRITES = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock")
#: Under this one nobody can read either.
NO_READS = "AccessExclusiveLock"

TABLES = """
    SELECT c.oid, c.relname, coalesce(i.indrelid, 0)
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'i', 'I', 'm') AND pg_table_is_visible(c.oid)
    AND c.relnamespace <> 'pg_catalog'::regnamespace AND c.relpersistence <> 't'
"""
LOCKS = """
    SELECT DISTINCT relation, mode FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND relation = ANY (%s)
    AND mode <> 'SIReadLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
COUNTS = """
    SELECT c.oid, pg_relation_filenode(c.oid),
           coalesce(s.seq_tup_read, 0) + coalesce(s.idx_tup_fetch, 0),
           coalesce(s.n_tup_upd, 0) + coalesce(s.n_tup_del, 0)
    FROM pg_class c LEFT JOIN pg_stat_xact_user_tables s ON s.relid = c.oid
    WHERE c.oid = ANY (%s)
"""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is true of one table at one moment of a transaction."""

    lock: str = ""
    file: int | None = None
    scanned: int = 0
    changed: int = 0


class Catalogue:
    """The tables and indexes that are there now; later readings are of these."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute(TABLES)
            found = cursor.fetchall()
        self._names = {oid: name for oid, name, owner in found if not owner}
        self._owners = {oid: owner or oid for oid, _, owner in found}
        self._owners = {oid: own for oid, own in self._owners.items() if own in self._names}

    @property
    def indexes(self) -> Mapping[int, str]:
        """The table of each index."""
        return {oid: self._names[own] for oid, own in self._owners.items() if oid != own}

    def read(self) -> dict[str, Reading]:
        """Return a reading of every table, also of one that was dropped or renamed meanwhile."""
        strongest: dict[int, int] = {}
        with self._connection.cursor() as cursor:
            cursor.execute(LOCKS, [list(self._owners)])
            for oid, mode in cursor.fetchall():
                own = self._owners[oid]
                strongest[own] = max(strongest.get(own, 0), MODES.index(mode))
            cursor.execute(COUNTS, [list(self._names)])
            counts = {oid: rest for oid, *rest in cursor.fetchall()}
        made = {}
        for oid, name in self._names.items():
            file, scanned, changed = counts.get(oid, (None, 0, 0))
            lock = MODES[strongest[oid]] if oid in strongest else ""
            made[name] = Reading(lock=lock, file=file, scanned=scanned, changed=changed)
        return made


def stronger(lock: str, than: str) -> bool:
    """Tell whether a lock mode is stronger than another; none is the weakest."""
    return bool(lock) and (not than or MODES.index(lock) > MODES.index(than))
