"""Reads a database's tables: its own catalogue is right where models say otherwise, or nothing."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.apps.registry import Apps
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.review.rehearsal.rows.catalog_queries import (
    CHECKS,
    COLUMNS,
    FOREIGN,
    UNIQUES,
)
from django_runbook.schema.review.rehearsal.rows.tables import Column, Table
from django_runbook.schema.review.rehearsal.rows.writing import quote


def tables(connection: BaseDatabaseWrapper, apps: Apps) -> dict[str, Table]:
    """Return every table of the database, with what the models of ``apps`` know beyond it."""
    read = _postgresql if connection.vendor == "postgresql" else _sqlite
    fields = {
        (model._meta.db_table, str(field.column)): field
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_concrete_fields
    }
    return {name: _hinted(table, fields) for name, table in read(connection).items()}


def _hinted(table: Table, fields: Mapping[tuple[str, str], Any]) -> Table:
    """Add choices, and foreign keys that the database does not watch."""
    columns, foreign = [], dict(table.foreign)
    for column in table.columns:
        field = fields.get((table.name, column.name))
        if field is None:
            columns.append(column)
            continue
        choices = tuple(value for value, _ in field.flatchoices if value is not None)
        columns.append(replace(column, field=field, labels=column.labels or choices))
        if field.remote_field and hasattr(field, "target_field"):
            target = field.target_field
            foreign.setdefault(column.name, (target.model._meta.db_table, target.column))
    return replace(table, columns=tuple(columns), foreign=foreign)


def _postgresql(connection: BaseDatabaseWrapper) -> dict[str, Table]:
    columns: dict[str, list[Column]] = defaultdict(list)
    uniques: dict[str, list[frozenset[str]]] = defaultdict(list)
    foreign: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    checks: dict[str, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [""])
        for table, name, kind, nullable, automatic, labels in cursor.fetchall():
            columns[table].append(
                Column(
                    name=name,
                    type=kind,
                    nullable=nullable,
                    automatic=automatic,
                    labels=tuple(labels),
                )
            )
        cursor.execute(UNIQUES)
        for table, names in cursor.fetchall():
            uniques[table].append(frozenset(names))
        cursor.execute(FOREIGN)
        for table, name, parent, theirs in cursor.fetchall():
            foreign[table][name] = (parent, theirs)
        cursor.execute(CHECKS)
        for table, expression in cursor.fetchall():
            checks[table].append(expression)
    return {
        name: Table(
            name=name,
            columns=tuple(columns[name]),
            uniques=tuple(names for names in uniques[name] if names),
            foreign=foreign[name],
            checks=tuple(checks[name]),
        )
        for name in columns
    }


def _sqlite(connection: BaseDatabaseWrapper) -> dict[str, Table]:
    made = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        for name, sql in cursor.fetchall():
            quoted = quote(name)
            cursor.execute(f"PRAGMA table_xinfo({quoted})")
            described = cursor.fetchall()
            keys = [row[1] for row in described if row[5]]
            cursor.execute(f"PRAGMA foreign_key_list({quoted})")
            foreign = {row[3]: (row[2], row[4] or "id") for row in cursor.fetchall()}
            cursor.execute(f"PRAGMA index_list({quoted})")
            uniques = [frozenset(keys)] if keys else []
            for index in [row[1] for row in cursor.fetchall() if row[2]]:
                cursor.execute(f"PRAGMA index_info({quote(index)})")
                uniques.append(frozenset(row[2] for row in cursor.fetchall() if row[2]))
            made[name] = Table(
                name=name,
                columns=tuple(_sqlite_column(row, keys) for row in described),
                uniques=tuple(names for names in uniques if names),
                foreign=foreign,
                checks=tuple(sql.split("CHECK")[1:]),
            )
    return made


def _sqlite_column(row: tuple[Any, ...], keys: list[str]) -> Column:
    _, name, kind, not_null, _, key, hidden = row
    automatic = (keys == [name] and kind.lower() == "integer") or hidden > 1
    nullable = not not_null and not key
    return Column(name=name, type=kind.lower(), nullable=nullable, automatic=automatic)
