"""Reports once what both the rules and squawk found."""

from collections.abc import Iterable
from dataclasses import replace

from django_runbook.schema.review.plan import Risk

#: Hazards that contain another one: a unique index is an index.
CONTAINS = {
    "add-not-null": {"drop-db-default"},
    "set-not-null": {"drop-db-default"},
    "add-primary-key": {"add-index", "add-not-null", "add-unique", "add-volatile-default"},
    "add-unique": {"add-index"},
    "alter-many-to-many": {"rename-column", "rename-table", "add-foreign-key", "add-index"},
}


def merged(rules: Iterable[Risk], squawk: Iterable[Risk]) -> tuple[Risk, ...]:
    """Return all risks, those of the same operation, table and hazard once.

    The rules know the field before and after, and squawk the statement alone: where both found it,
    the rules' severity and rewrite hold, and the sources are joined. What squawk found in the SQL
    that Django holds back to the end belongs to the operation of that table.
    """
    found = list(rules)
    for other in squawk:
        same = [place for place, risk in enumerate(found) if _same(risk, other)]
        for place in same:
            if "squawk" not in found[place].source:
                found[place] = replace(found[place], source=f"{found[place].source}, squawk")
        if not same:
            found.append(other)
    return tuple(sorted(found, key=lambda risk: (risk.operation is None, risk.operation or 0)))


def _same(risk: Risk, other: Risk) -> bool:
    return (
        "rules" in risk.source
        and (other.rule == risk.rule or other.rule in CONTAINS.get(risk.rule, ()))
        and other.operation in {None, risk.operation}
        and (other.table == risk.table or not other.table or not risk.table)
    )
