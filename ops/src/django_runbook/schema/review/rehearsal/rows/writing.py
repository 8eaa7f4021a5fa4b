"""Puts rows into tables; rows that a constraint refuses are left out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.review.rehearsal.rows.tables import Column, Table

#: What a type that no table here lists may take: ranges, shapes, the point of PostGIS.
LITERALS = ("a", "{}", "[1,2]", "(1,2)", "((1,2),(3,4))", "POINT(0 0)", "SRID=4326;POINT(0 0)", "")

Keys = Mapping[str, Sequence[Any]]


def insert(
    connection: BaseDatabaseWrapper,
    table: Table,
    columns: Sequence[Column],
    rows: Sequence[tuple[Any, ...]],
) -> int:
    """Insert rows, and return how many the constraints let in.

    PostgreSQL's own check expressions choose the rows, and one JSON text holds them all: each value
    goes through the input function of its type, whichever that is.
    """
    quoted = quote(table.name).replace("%", "%%")
    names = ", ".join(quote(column.name) for column in columns).replace("%", "%%")
    with connection.cursor() as cursor:
        if not columns:
            for _ in rows:
                cursor.execute(f"INSERT INTO {quoted} DEFAULT VALUES")
            return len(rows)
        if connection.vendor == "postgresql":
            allowed = " AND ".join(["true", *(f"({text}) IS NOT FALSE" for text in table.checks)])
            parts = [dict(zip([c.name for c in columns], row, strict=True)) for row in rows]
            cursor.execute(
                f"INSERT INTO {quoted} ({names}) SELECT {names} "  # noqa: S608  # names of the catalogue
                f"FROM json_populate_recordset(NULL::{quoted}, %s::json) AS made "
                f"WHERE {allowed.replace('%', '%%')} ON CONFLICT DO NOTHING",
                [json.dumps(parts)],
            )
            return int(cursor.rowcount)
        before = counted(connection, table.name)
        marks = ", ".join(["%s"] * len(columns))
        cursor.executemany(
            f"INSERT OR IGNORE INTO {quoted} ({names}) VALUES ({marks})",  # noqa: S608  # as above
            rows,
        )
        return counted(connection, table.name) - before


def quote(name: str) -> str:
    """Return a name in quotes; Django's own ``quote_name`` leaves quotes inside it as they are."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def keys_of(connection: BaseDatabaseWrapper, table: str, column: str) -> list[Any]:
    """Return the values of a column that others refer to, as they are inserted there."""
    text = "::text" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {quote(column)}{text} FROM {quote(table)} "  # noqa: S608  # as above
            f"WHERE {quote(column)} IS NOT NULL ORDER BY {quote(column)} LIMIT 10000"
        )
        return [row[0] for row in cursor.fetchall()]


def counted(connection: BaseDatabaseWrapper, table: str) -> int:
    """Return how many rows a table has."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {quote(table)}"  # noqa: S608  # as above
        )
        return int(cursor.fetchone()[0])


def link(connection: BaseDatabaseWrapper, table: Table, column: str) -> None:
    """Let half of a table's rows refer to the first row of another table, or of its own.

    All to one, and that one to none: a chain of rows never goes in a circle.
    """
    parent, key = table.foreign[column]
    row = "ctid" if connection.vendor == "postgresql" else "rowid"
    root = f"(SELECT {quote(key)} FROM {quote(parent)} ORDER BY 1 LIMIT 1)"  # noqa: S608  # as above
    other = f"AND {quote(key)} <> {root}" if parent == table.name else ""
    statement = f"""
        UPDATE {quote(table.name)} SET {quote(column)} = {root}
        WHERE {row} IN (SELECT {row} FROM {quote(table.name)}
                        LIMIT (SELECT count(*) / 2 FROM {quote(table.name)})) {other}
    """  # noqa: S608  # as above
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError:
        return  # a constraint may refuse it: the rows are there without


def probed(connection: BaseDatabaseWrapper, column: Column) -> Column:
    """Return a column of a type that is not known here with a value that the database takes."""
    length = column.numbers[0] if column.numbers else 3
    tried = ("1" * length, "[" + ",".join("1" * length) + "]", *LITERALS)
    for literal in tried:
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f"SELECT CAST(%s AS {column.type})", [literal])  # as above
        except DatabaseError:
            continue
        return replace(column, labels=(literal,))
    return column
