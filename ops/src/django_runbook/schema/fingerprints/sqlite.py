"""Reads what an SQLite database is built of: its PRAGMAs, and the statements that it keeps."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.fingerprints.fingerprint import Entries, sorted_entries
from django_runbook.schema.fingerprints.sqlite_parser import (
    NotUnderstoodError,
    Table,
    parse,
    plain,
    unquoted,
    without_name,
)

Found = dict[str, list[tuple[str, str]]]
#: The tables behind a virtual one; PRAGMA table_list is of SQLite 3.37.
SHADOWS = "SELECT name FROM pragma_table_list WHERE type = 'shadow' AND schema = 'main'"
TABLE_LIST = (3, 37)


def read(connection: BaseDatabaseWrapper, schemas: Iterable[str] | None = None) -> Entries:
    """Return all that stands in the database itself; what is attached to it does not."""
    found: Found = defaultdict(list)
    ignored = {MigrationRecorder.Migration._meta.db_table}
    if connection.get_database_version() >= TABLE_LIST:
        ignored |= {name for (name,) in _rows(connection, SHADOWS)}
    statements = _rows(
        connection,
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
        " WHERE sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_'",
    )
    for kind, name, table, sql in statements:
        if table in ignored:
            continue
        if kind == "table":
            _add_table(found, connection, name, sql)
        elif kind == "index":
            found[kind].append((f"{table}.{name}", without_name(sql)))
        else:
            found[kind].append((f"{table}.{name}" if kind == "trigger" else name, plain(sql)))
    return sorted_entries(found)


def _rows(connection: BaseDatabaseWrapper, query: str, *parameters: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall())


def _add_table(found: Found, connection: BaseDatabaseWrapper, name: str, sql: str) -> None:
    info = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(%s) ORDER BY cid'
    columns = _rows(connection, info, name)
    parsed = _parsed(sql, [column for column, *_rest in columns])
    for column, *facts in columns:
        text = parsed.columns[unquoted(column)] if parsed else json.dumps(facts)
        found["column"].append((f"{name}.{column}", text))
    found["order"].append((name, json.dumps([column for column, *_rest in columns])))
    if parsed is None:
        found["table"].append((name, plain(sql)))
        return
    found["table"].append((name, f"table {parsed.options}".strip()))
    found["constraint"] += [(f"{name}.{label}", text) for label, text in parsed.constraints]


def _parsed(sql: str, columns: list[str]) -> Table | None:
    """Return what the statement says; None where it names other columns than SQLite does."""
    try:
        table = parse(sql)
    except NotUnderstoodError:
        return None
    return table if [*table.columns] == [unquoted(column) for column in columns] else None
