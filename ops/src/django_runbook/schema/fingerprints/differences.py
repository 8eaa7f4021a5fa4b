"""Compares two fingerprints: what behaves differently, what is only called or ordered otherwise."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from django_runbook.schema.fingerprints.fingerprint import (
    FREELY_NAMED,
    ORDER,
    OWNED_BY,
    PARTS,
    Fingerprint,
)

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that two databases do not have alike.

    ``table`` is empty for what belongs to none, ``name`` for what has none. ``left`` and ``right``
    are its definitions, None where it is not there. A difference of names has the names there, and
    the ``definition`` that both share; one of order the columns.
    """

    kind: str
    table: str
    name: str
    left: str | None
    right: str | None
    definition: str = ""


@dataclass(frozen=True, kw_only=True)
class Differences:
    """What differs. Without ``logical`` ones, two databases behave alike in all that is read.

    ``names``: the same constraint, index or sequence is called otherwise, which matters to a
    statement that names it. ``order``: the same columns stand in another order, which matters to
    ``SELECT *`` and to an INSERT without names.
    """

    logical: tuple[Difference, ...] = ()
    names: tuple[Difference, ...] = ()
    order: tuple[Difference, ...] = ()

    @property
    def count(self) -> int:
        """How many there are of all three."""
        return len(self.logical) + len(self.names) + len(self.order)


def compare(left: Fingerprint, right: Fingerprint) -> Differences:
    """Return what differs. A table that one of them lacks is named once, without its parts.

    Raises ``ValueError`` for fingerprints of two engines: their types have no common spelling.
    """
    if left.vendor != right.vendor:
        raise ValueError(f"{left.vendor} and {right.vendor} cannot be compared.")
    tables = _names(left, "table") | _names(right, "table")
    alone = _names(left, "table") ^ _names(right, "table")
    logical: list[Difference] = []
    names: list[Difference] = []
    order: list[Difference] = []
    for kind in sorted({*left.entries, *right.entries}):
        mine, theirs = _only(left, right, kind)
        if kind == ORDER:
            order += _reordered(mine, theirs)
            continue
        if kind in FREELY_NAMED:
            names += _renamed(kind, mine, theirs, tables)
        logical += _changed(kind, mine, theirs, tables)
    logical = [each for each in logical if each.kind == "table" or each.table not in alone]
    return Differences(
        logical=tuple(sorted(logical, key=lambda each: (each.table, each.kind, each.name))),
        names=tuple(sorted(names, key=lambda each: (each.table, each.kind, each.definition))),
        order=tuple(order),
    )


def _names(fingerprint: Fingerprint, kind: str) -> set[str]:
    return {name for name, _definition in fingerprint.entries.get(kind, ())}


def _only(left: Fingerprint, right: Fingerprint, kind: str) -> tuple[Counter[Pair], Counter[Pair]]:
    """Return what each has that the other has not."""
    mine = Counter(left.entries.get(kind, ()))
    theirs = Counter(right.entries.get(kind, ()))
    return mine - theirs, theirs - mine


def _reordered(mine: Counter[Pair], theirs: Counter[Pair]) -> Iterator[Difference]:
    """Yield the tables of which the common columns stand in another order."""
    other = dict(theirs.elements())
    for table, columns in sorted(mine):
        here, there = json.loads(columns), json.loads(other.get(table, "[]"))
        common = set(here) & set(there)
        here, there = ([name for name in names if name in common] for names in (here, there))
        if here != there:
            yield Difference(
                kind=ORDER, table=table, name="", left=", ".join(here), right=", ".join(there)
            )


def _renamed(
    kind: str, mine: Counter[Pair], theirs: Counter[Pair], tables: set[str]
) -> Iterator[Difference]:
    """Yield what has the same definition and another name, and take it out of both."""

    def place(pair: Pair) -> Hashable:
        return _table(kind, pair, tables), pair[1]

    for here, there in _paired(mine, theirs, place):
        if here is None or there is None:
            continue
        mine.subtract([here])
        theirs.subtract([there])
        table = _table(kind, here, tables)
        yield Difference(
            kind=kind,
            table=table,
            name="",
            left=_part(kind, here[0], table),
            right=_part(kind, there[0], table),
            definition=here[1],
        )


def _changed(
    kind: str, mine: Counter[Pair], theirs: Counter[Pair], tables: set[str]
) -> Iterator[Difference]:
    for here, there in _paired(mine, theirs, lambda pair: pair[0]):
        either = here or there or ("", "")
        table = _table(kind, either, tables)
        yield Difference(
            kind=kind,
            table=table,
            name=_part(kind, either[0], table),
            left=here[1] if here else None,
            right=there[1] if there else None,
        )


def _paired(
    mine: Counter[Pair], theirs: Counter[Pair], by: Callable[[Pair], Hashable]
) -> list[tuple[Pair | None, Pair | None]]:
    """Return the sorted elements that have the same key side by side, None where one lacks."""
    groups: dict[Hashable, tuple[list[Pair], list[Pair]]] = defaultdict(lambda: ([], []))
    for side, pairs in enumerate((mine, theirs)):
        for pair in sorted((+pairs).elements()):
            groups[by(pair)][side].append(pair)
    return [both for group in groups.values() for both in zip_longest(*group)]


def _table(kind: str, pair: Pair, tables: Iterable[str]) -> str:
    """Return the table that something is a part of; names of tables may hold dots as well."""
    name = pair[1].rpartition(OWNED_BY)[2] if kind == "sequence" else pair[0]
    if kind == "table":
        return name
    if kind not in {*PARTS, "sequence"}:
        return ""
    return max((table for table in tables if name.startswith(f"{table}.")), key=len, default="")


def _part(kind: str, name: str, table: str) -> str:
    return name.removeprefix(table).removeprefix(".") if kind in PARTS else name
