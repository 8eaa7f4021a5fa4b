"""How large the tables of a database are: a snapshot to read a plan by, with names and numbers."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.database.target import absent

FORMAT = 1
#: Tables that were never analysed are counted up to this size; beyond, their rows are not known.
COUNTABLE = 64 * 1024**2

POSTGRESQL = """
    SELECT c.relname, CASE WHEN bool_or(l.reltuples < 0 AND pg_relation_size(l.oid) > 0) THEN -1
                           ELSE sum(greatest(l.reltuples, 0)) END::bigint,
           sum(pg_table_size(l.oid))::bigint, sum(pg_indexes_size(l.oid))::bigint
    FROM pg_class c
    CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid)) AS part
    JOIN pg_class l ON l.oid = part.oid AND l.relkind IN ('r', 'm')
    WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND pg_table_is_visible(c.oid)
    AND c.relnamespace <> 'pg_catalog'::regnamespace AND c.relpersistence <> 't'
    GROUP BY c.oid, c.relname ORDER BY c.relname
"""
PAGES = """
    SELECT m.tbl_name, sum(CASE m.type WHEN 'table' THEN s.pgsize ELSE 0 END),
           sum(CASE m.type WHEN 'index' THEN s.pgsize ELSE 0 END)
    FROM dbstat AS s JOIN sqlite_master AS m ON m.name = s.name GROUP BY m.tbl_name
"""


class SizesError(Exception):
    """A snapshot cannot be taken or read. The message says what mends it."""


@dataclass(frozen=True, kw_only=True)
class TableSize:
    """One table: ``rows`` as the database estimates them, and bytes; None for what is not known."""

    rows: int | None
    table_bytes: int | None
    index_bytes: int | None

    @property
    def bytes(self) -> int | None:
        """The table and its indexes."""
        return None if self.table_bytes is None else self.table_bytes + (self.index_bytes or 0)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """A snapshot of one database, without its name, its address or its rows."""

    taken_at: datetime.datetime
    vendor: str
    version: str
    tables: Mapping[str, TableSize]

    def to_json(self) -> str:
        """Return the text that ``load`` reads."""
        facts = {
            "format": FORMAT,
            "taken_at": self.taken_at.isoformat(timespec="seconds"),
            "vendor": self.vendor,
            "version": self.version,
            "tables": {name: asdict(size) for name, size in sorted(self.tables.items())},
        }
        return json.dumps(facts, indent=2)


def table_sizes(alias: str, *, now: datetime.datetime) -> Sizes:
    """Return how large each table of a database is; it is read in a read-only transaction.

    PostgreSQL's own estimates, as ANALYZE left them; SQLite's rows are counted. Raises
    ``SizesError`` for another engine, and for an SQLite file that is not there.
    """
    connection = connections[alias]
    if connection.vendor not in {"postgresql", "sqlite"}:
        raise SizesError(
            f"The sizes of {connection.display_name} are not read: PostgreSQL's and SQLite's are."
        )
    if absent(alias):
        raise SizesError(
            f"There is no database {connection.settings_dict['NAME']}. Run 'inv db.migrate' first."
        )
    with transaction.atomic(using=alias):
        read = _postgresql if connection.vendor == "postgresql" else _sqlite
        tables = read(connection)
    version = ".".join(map(str, connection.get_database_version()))
    return Sizes(taken_at=now, vendor=connection.vendor, version=version, tables=tables)


def _postgresql(connection: BaseDatabaseWrapper) -> dict[str, TableSize]:
    made = {}
    with connection.cursor() as cursor:
        if not connection.savepoint_ids:
            cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(POSTGRESQL)
        for name, rows, table, index in cursor.fetchall():
            known = rows if rows >= 0 else None
            if known is None and table <= COUNTABLE:
                known = _counted(connection, name)
            made[name] = TableSize(rows=known, table_bytes=table, index_bytes=index)
    return made


def _sqlite(connection: BaseDatabaseWrapper) -> dict[str, TableSize]:
    pages: dict[str, tuple[int, int]] = {}
    with connection.cursor() as cursor:
        try:
            cursor.execute(PAGES)
            pages = {name: (table, index) for name, table, index in cursor.fetchall()}
        except OperationalError:
            pages = {}  # this SQLite was built without dbstat
        names = connection.introspection.table_names(cursor)
    return {
        name: TableSize(
            rows=_counted(connection, name),
            table_bytes=pages.get(name, (None, None))[0],
            index_bytes=pages.get(name, (None, None))[1],
        )
        for name in names
    }


def _counted(connection: BaseDatabaseWrapper, table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {connection.ops.quote_name(table)}"  # noqa: S608  # its own name
        )
        return int(cursor.fetchone()[0])


def load(file: Path) -> Sizes:
    """Read a snapshot. Raises ``SizesError`` for what ``table_sizes`` did not write."""
    try:
        return _parsed(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise SizesError(f"{file}: {error.strerror}. Write it with 'inv db.sizes'.") from error
    except ValueError as error:
        raise SizesError(f"{file}: {error}. Write it anew with 'inv db.sizes'.") from error


def _parsed(facts: Any) -> Sizes:
    known = isinstance(facts, dict) and facts.get("format") == FORMAT
    _require(known, f"no snapshot of sizes in format {FORMAT}")
    unknown = sorted(facts.keys() - {"format", "taken_at", "vendor", "version", "tables"})
    _require(not unknown, f"{', '.join(unknown)} is no key of a snapshot")
    for key in ("taken_at", "vendor", "version"):
        value = facts.get(key)
        _require(isinstance(value, str), f"{key} is {value!r}, a text is allowed")
    taken_at = datetime.datetime.fromisoformat(facts["taken_at"])
    _require(taken_at.tzinfo is not None, f"taken_at is {facts['taken_at']}, without a time zone")
    _require(isinstance(facts.get("tables"), dict), "tables is missing")
    tables = {name: _parsed_table(name, size) for name, size in facts["tables"].items()}
    return Sizes(taken_at=taken_at, vendor=facts["vendor"], version=facts["version"], tables=tables)


def _parsed_table(name: str, size: Any) -> TableSize:
    keys = ("rows", "table_bytes", "index_bytes")
    exact = isinstance(size, dict) and set(size) == set(keys)
    _require(exact, f"{name} has not just {', '.join(keys)}")
    for key in keys:
        number = size[key]
        allowed = number is None or (type(number) is int and number >= 0)
        _require(allowed, f"{name}.{key} is {number!r}, a whole number or null is allowed")
    return TableSize(**size)


def _require(met: object, otherwise: str) -> None:
    if not met:
        raise ValueError(otherwise)
