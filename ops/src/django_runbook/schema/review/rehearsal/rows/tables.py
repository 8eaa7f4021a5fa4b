"""What is known of a table that rows are made up for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column as the database has it. ``automatic``: the database itself fills it.

    ``labels`` are the only values allowed, where those are known; ``field`` is the model's field,
    None where no model has the column.
    """

    name: str
    type: str
    nullable: bool = True
    automatic: bool = False
    labels: tuple[Any, ...] = ()
    field: Any = None

    @cached_property
    def base(self) -> str:
        """The type without its length."""
        return self.type.partition("(")[0].strip().removesuffix("[]")

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The length, or the precision and the scale; the model's, where the type has none."""
        inside = self.type.partition("(")[2].partition(")")[0]
        if digits := not inside and getattr(self.field, "max_digits", None):
            return digits, self.field.decimal_places or 0
        return tuple(int(part) for part in inside.split(",") if part.strip().isdigit())


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: ``foreign`` says which column of which table a column refers to.

    ``uniques`` are the sets of columns of every unique index; ``checks`` the expressions of the
    check constraints, in the database's own words.
    """

    name: str
    columns: tuple[Column, ...]
    uniques: tuple[frozenset[str], ...] = ()
    foreign: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    checks: tuple[str, ...] = ()

    @property
    def parents(self) -> frozenset[str]:
        """The tables that it refers to."""
        return frozenset(table for table, _ in self.foreign.values())


@dataclass(frozen=True, kw_only=True)
class Filled:
    """How many rows each table has now, and which tables could not be filled, and why."""

    rows: Mapping[str, int]
    gaps: tuple[str, ...] = ()
