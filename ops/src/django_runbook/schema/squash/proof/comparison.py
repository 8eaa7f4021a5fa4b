"""Compares two databases that two ways have led to, and names what differs as defects."""

from collections.abc import Callable
from dataclasses import dataclass

from django_runbook.schema.fingerprints.differences import Difference, compare
from django_runbook.schema.squash.proof import comparable_rows
from django_runbook.schema.squash.proof.comparable_rows import RowDifference, Rows
from django_runbook.schema.squash.proof.migration_paths import Mark
from django_runbook.schema.squash.proof.results import Check, Defect

SHOWN = 90


@dataclass(frozen=True, kw_only=True)
class Found:
    """What differs: the defects with the table of each, and what nothing depends on."""

    defects: tuple[tuple[str, Defect], ...] = ()
    names: tuple[str, ...] = ()
    order: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        """Whether nothing differs at all."""
        return not (self.defects or self.names or self.order)


def found(
    old: Mark, new: Mark, again: Callable[[], Rows], *, rows_check: Check = Check.ROWS
) -> Found:
    """Return what differs between the old way's database and the squashed one's.

    ``again`` runs the old way once more, later than both, and returns the rows; it is asked only
    where rows differ. What it does not bring out equal is random, or the time.
    """
    schema = compare(old.schema, new.schema)
    wrong = comparable_rows.differences(old.rows, new.rows)
    if wrong:
        wrong = comparable_rows.differences(
            old.rows, new.rows, comparable_rows.unstable(old.rows, again())
        )
    return Found(
        defects=(
            *((each.table, _schema(each)) for each in schema.logical),
            *((each.table, _rows(each, rows_check)) for each in wrong),
        ),
        names=tuple(
            f"{each.kind} on {each.table}: {each.left} before, {each.right} squashed"
            for each in schema.names
        ),
        order=tuple(
            f"{each.table}: {each.left} before, {each.right} squashed" for each in schema.order
        ),
    )


def _schema(difference: Difference) -> Defect:
    name = ".".join(part for part in (difference.table, difference.name) if part)
    if difference.kind == "table":
        name = difference.table
    sides = {
        "before": difference.left,
        "squashed": difference.right,
    }
    if difference.right is None:
        what = f"{difference.kind} {name} is lost: {_short(difference.left)}"
    elif difference.left is None:
        what = f"{difference.kind} {name} is too much: {_short(difference.right)}"
    else:
        said = ", ".join(f"{_short(text)} {side}" for side, text in sides.items())
        what = f"{difference.kind} {name} is another: {said}"
    return Defect(check=Check.SCHEMA, what=what)


def _rows(difference: RowDifference, check: Check) -> Defect:
    counts = " and ".join(
        f"{number} {word}"
        for number, word in ((difference.lost, "lost"), (difference.added, "too many"))
        if number
    )
    return Defect(
        check=check, what=f"rows of {difference.table}: {counts}, one with {difference.example}"
    )


def _short(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
