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
KEYS = "SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 10000"
KEYS_AS_TEXT = KEYS.replace("{column}", "{column}::text", 1)
LINK = """
    UPDATE {table} SET {column} = (SELECT {key} FROM {parent} ORDER BY 1 LIMIT 1)
    WHERE {row} IN (SELECT {row} FROM {table} LIMIT (SELECT count(*) / 2 FROM {table}))
"""
#: Where both are one table: the row that the others refer to refers to none.
BUT_THE_FIRST = "AND {key} <> (SELECT {key} FROM {parent} ORDER BY 1 LIMIT 1)"

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
    names = [column.name for column in columns]
    with connection.cursor() as cursor:
        if not columns:
            for _ in rows:
                cursor.execute(named("INSERT INTO {table} DEFAULT VALUES", table=table.name))
            return len(rows)
        if connection.vendor == "postgresql":
            allowed = " AND ".join(["true", *(f"({text}) IS NOT FALSE" for text in table.checks)])
            parts = [dict(zip(names, row, strict=True)) for row in rows]
            cursor.execute(
                named(
                    "INSERT INTO {table} ({columns}) SELECT {columns} "
                    "FROM json_populate_recordset(NULL::{table}, %s::json) AS made ",
                    table=table.name,
                    columns=names,
                )
                + f"WHERE {allowed.replace('%', '%%')} ON CONFLICT DO NOTHING",
                [json.dumps(parts)],
            )
            return int(cursor.rowcount)
        before = counted(connection, table.name)
        marks = ", ".join(["%s"] * len(columns))
        into = "INSERT OR IGNORE INTO {table} ({columns}) VALUES "
        cursor.executemany(named(f"{into}({marks})", table=table.name, columns=names), rows)
        return counted(connection, table.name) - before


def named(template: str, **names: str | Sequence[str]) -> str:
    """Return a statement with its names, in quotes; where several are given, with commas.

    In a statement with parameters the percent sign of a name stands twice, as the driver wants it.
    """
    texts = {
        key: ", ".join(quote(name) for name in ([given] if isinstance(given, str) else given))
        for key, given in names.items()
    }
    if "%s" in template:
        texts = {key: text.replace("%", "%%") for key, text in texts.items()}
    return template.format(**texts)


def quote(name: str) -> str:
    """Return a name in quotes; Django's own ``quote_name`` leaves quotes inside it as they are."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def keys_of(connection: BaseDatabaseWrapper, table: str, column: str) -> list[Any]:
    """Return the values of a column that others refer to, as they are inserted there."""
    template = KEYS_AS_TEXT if connection.vendor == "postgresql" else KEYS
    with connection.cursor() as cursor:
        cursor.execute(named(template, table=table, column=column))
        return [row[0] for row in cursor.fetchall()]


def counted(connection: BaseDatabaseWrapper, table: str) -> int:
    """Return how many rows a table has."""
    with connection.cursor() as cursor:
        cursor.execute(named("SELECT count(*) FROM {table}", table=table))
        return int(cursor.fetchone()[0])


def link(connection: BaseDatabaseWrapper, table: Table, column: str) -> None:
    """Let half of a table's rows refer to the first row of another table, or of its own.

    All to one, and that one to none: a chain of rows never goes in a circle.
    """
    parent, key = table.foreign[column]
    row = "ctid" if connection.vendor == "postgresql" else "rowid"  # a table may have neither
    statement = named(
        (LINK + BUT_THE_FIRST if parent == table.name else LINK).replace("{row}", row),
        table=table.name,
        column=column,
        parent=parent,
        key=key,
    )
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
