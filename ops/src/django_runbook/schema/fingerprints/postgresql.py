"""Reads what a PostgreSQL database is built of, from its catalog.

Definitions are the server's own text (``pg_get_constraintdef`` and its like, PostgreSQL manual
9.28), so two servers of different major versions may spell one thing differently. Names in the
first schema of the search path are written without it. What an extension owns is left out, and of
an extension nothing but its name is read: versions belong to the server.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from django_runbook.schema.fingerprints.fingerprint import Entries, sorted_entries
from django_runbook.schema.fingerprints.postgresql_queries import (
    COLUMNS,
    OTHERS,
    SCHEMAS,
    SEQUENCES,
)

Found = dict[str, list[tuple[str, str]]]


def read(connection: BaseDatabaseWrapper, schemas: Iterable[str] | None) -> Entries:
    """Return all that stands in the schemas of the search path and in ``schemas``; None: in all."""
    parameters: dict[str, Any] = {
        "all": schemas is None,
        "schemas": sorted(schemas or ()),
        "record": MigrationRecorder.Migration._meta.db_table,
    }
    found: Found = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(SCHEMAS, parameters)
        names = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT coalesce(current_schema(), '')")
        first = str((cursor.fetchone() or [""])[0])
        parameters = {**parameters, "schemas": names, "first": first}
        found["schema"] = [(name, "") for name in names if name not in {first, "public"}]
        cursor.execute(SEQUENCES, parameters)
        sequences = cursor.fetchall()
        found["sequence"] = [(name, definition) for name, _spelt, _owner, definition in sequences]
        owners = {spelt: owner for _name, spelt, owner, _definition in sequences if owner}
        cursor.execute(COLUMNS, parameters)
        _add_columns(found, cursor.fetchall(), owners)
        for kind, query in OTHERS.items():
            cursor.execute(query, parameters)
            found[kind] = [(name, _plain(kind, text, first)) for name, text in cursor.fetchall()]
    return sorted_entries(found)


def _add_columns(found: Found, rows: Iterable[tuple[Any, ...]], owners: dict[str, str]) -> None:
    order: dict[str, list[str]] = defaultdict(list)
    for table, column, definition, default in rows:
        name = f"{table}.{column}"
        text = _without_sequence(default or "", owners, name)
        found["column"].append((name, f"{definition} {text}".rstrip()))
        order[table].append(column)
    found["order"] = [(table, json.dumps(columns)) for table, columns in order.items()]


def _without_sequence(default: str, owners: dict[str, str], column: str) -> str:
    """Return a default that calls its own column's sequence so: its name is told once."""

    def told(match: re.Match[str]) -> str:
        own = owners.get(match["name"].replace("''", "'")) == column
        return "nextval(own sequence)" if own else match[0]

    return re.sub(r"nextval\('(?P<name>(?:[^']|'')+)'::regclass\)", told, default)


def _plain(kind: str, text: str, first: str) -> str:
    """Return a definition without the thing's own name, and without the first schema's."""
    if kind == "index":
        return re.sub(r"^CREATE (UNIQUE )?INDEX .*? USING ", r"\1USING ", text, flags=re.DOTALL)
    if kind == "trigger":
        return _unqualified(text, first, " ON ")
    if kind == "function":
        return _unqualified(text, first, "^CREATE OR REPLACE (?:FUNCTION|PROCEDURE) ")
    return text


def _unqualified(text: str, schema: str, place: str) -> str:
    """Return a statement without the schema that it names at this place."""
    quoted = '"' + schema.replace('"', '""') + '"'
    names = f"{re.escape(schema)}|{re.escape(quoted)}"
    return re.sub(rf"({place})(?:{names})\.", r"\1", text, count=1)
