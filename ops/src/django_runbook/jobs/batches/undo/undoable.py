"""What an undo believes of the ledger: a change that the job registers, and batches that fit it.

Whoever can write into the ledger could else change any row of any table by an undo.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Q

from django_runbook.jobs.batches.undo.kept import kept_values
from django_runbook.jobs.errors import BrokenLedgerError, RefusedError
from django_runbook.jobs.ledger.reading import rows
from django_runbook.jobs.ledger.reading.keys import Keys
from django_runbook.jobs.ledger.runs import stale
from django_runbook.jobs.models import Batch, Run, Status
from django_runbook.jobs.registry import Change, Transition, field_of, transitions

#: With values, fewer rows are read together: each may be as long as a text is.
AT_ONCE_WITH_VALUES = 10_000


@dataclass(frozen=True, kw_only=True)
class Back:
    """How rows are put back: ``was`` is what they must be, ``to`` what is set in all of them.

    Of the ``kept`` fields each row gets the value that its batch keeps.
    """

    model: type[models.Model]
    was: Mapping[str, Any]
    to: Mapping[str, Any]
    kept: tuple[str, ...]
    #: What the ledger keeps of the undo.
    recorded: Mapping[str, Any]

    @property
    def constants(self) -> Change:
        """The same without the kept fields."""
        return Change(model=self.model, was=self.was, to=self.to)


@dataclass(frozen=True)
class Piece:
    """Rows of one batch: their keys, and in their order what each was and became."""

    ids: list[Any]
    old: list[list[Any]]
    new: list[list[Any]]

    def at(self, places: Sequence[int]) -> "Piece":
        """Return the rows at these places."""
        columns = ([column[place] for place in places if column] for column in self._columns)
        return Piece(*columns)

    def split(self, size: int) -> tuple["Piece", "Piece"]:
        """Return the first rows, and the others."""
        first = (column[:size] for column in self._columns)
        return Piece(*first), Piece(*(column[size:] for column in self._columns))

    @property
    def _columns(self) -> tuple[list[Any], ...]:
        return self.ids, self.old, self.new


def require(run: Run) -> Back:
    """Return how a run is taken back. Raises ``RefusedError`` where it is not, or not now."""
    if run.undoes_id == run.pk:
        raise broken(run, BrokenLedgerError(f"run {run.pk} undoes itself"))
    if run.undoes_id:
        raise RefusedError(f"Refused: run {run.pk} is itself the undo of run {run.undoes_id}.")
    if not run.change or not run.changed:
        raise RefusedError(f"Refused: run {run.pk} changed no rows that the ledger knows.")
    beating = Run.objects.filter(job=run.job, status=Status.RUNNING).exclude(pk__in=stale())
    running = beating.first()
    if running:
        raise RefusedError(
            f"Refused: run {running.pk} of {run.job} is running ({running.who}); nothing was "
            "changed. Stop it first, or wait for its end."
        )
    return _back(_registered(run))


def verify(run: Run, back: Back) -> None:
    """Look at all batches of a run before the first row is put back.

    Raises ``RefusedError`` where one is not as the run says, or does not fit its change.
    """
    numbers: list[int] = []
    counted = 0
    try:
        for group in pieces(run, back):
            numbers += [batch.number for batch, _piece in group]
            counted += sum(batch.changed for batch, _piece in group)
    except BrokenLedgerError as error:
        raise broken(run, error) from error
    kept = len(numbers)
    if numbers != list(range(1, run.batches + 1)) and kept == run.batches:
        raise broken(
            run, BrokenLedgerError(f"the batches of run {run.pk} are not numbered through")
        )
    if kept != run.batches:
        raise RefusedError(
            f"Refused: the ledger keeps {kept} of the {run.batches} batches of run {run.pk}; "
            "nothing was changed."
        )
    if counted != run.changed:
        raise RefusedError(
            f"Refused: run {run.pk} says that it changed {run.changed:,} row(s), and its batches "
            f"hold {counted:,}; nothing was changed."
        )


def broken(run: Run, error: BrokenLedgerError) -> RefusedError:
    """Return the refusal to undo a run because of a row of the ledger."""
    return RefusedError(
        f"Refused: the ledger is broken: {error}. Run {run.pk} cannot be undone; nothing was "
        "changed."
    )


def pieces(run: Run, back: Back) -> Iterator[list[tuple[Batch, Piece]]]:
    """Yield the batches of a run with their rows, checked, as many at a time as fit into memory.

    Raises ``BrokenLedgerError``.
    """
    connection = connections[run._state.db or DEFAULT_DB_ALIAS]
    keys = Keys(back.model, connection)
    fields = [field_of(back.model, name) for name in back.kept]
    at_once = AT_ONCE_WITH_VALUES if fields else rows.AT_ONCE
    for group in rows.batches(run, at_once=at_once, values=bool(fields)):
        yield [(batch, _piece(batch, keys, fields)) for batch in group]


def harmless(back: Back) -> Q | None:
    """Return which runs changed none of the fields: other jobs' own, as these are registered."""
    fields = {*back.was, *back.to, *back.kept}
    found: Q | None = None
    for moved in transitions().values():
        for change in (moved.change, *moved.undoes):
            forth = change.as_json()
            if not fields.intersection((*forth["to"], *change.kept)):
                undone = {**forth, **_swapped(forth)}
                these = Q(job=moved.job, change=forth) | Q(job=moved.job, change=undone)
                found = these if found is None else found | these
    return found


def _piece(batch: Batch, keys: Keys, fields: list[Any]) -> Piece:
    ids = keys.strictly(batch)
    if not fields:
        return Piece(ids, [], [])
    old, new = (kept_values(batch, column, fields) for column in (batch.old, batch.new))
    if not len(old) == len(new) == len(ids):
        raise BrokenLedgerError(f"{batch} does not hold the old and new values of its rows")
    return Piece(ids, old, new)


def _registered(run: Run) -> Change:
    """Return the registered change that a run made. Raises ``RefusedError`` where none is."""
    moved = transitions().get(run.job)
    if moved is None:
        raise RefusedError(
            f"Refused: the code registers no transition of {run.job}; nothing was changed. "
            f"Undo run {run.pk} with a release that does."
        )
    said = run.change
    if not isinstance(said, dict) or said.get("model") != run.model:
        what = "is of another model than the run" if isinstance(said, dict) else "is no object"
        raise broken(run, BrokenLedgerError(f"the change of run {run.pk} {what}"))
    for change in (moved.change, *moved.undoes):
        if _told(change.as_json()) == _told(said):
            return change
    raise RefusedError(_difference(run, moved))


def _told(change: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an undo compares: a kept field was and became what the batches say."""
    kept = change.get("kept", [])
    was = change.get("was")
    if isinstance(was, dict) and isinstance(kept, list):
        was = {name: value for name, value in was.items() if name not in kept}
    return change.get("model"), was, change.get("to"), kept


def _difference(run: Run, moved: Transition) -> str:
    from_here, there = moved.change.as_json(), run.change
    ways = ("model", "was", "to", "kept")
    differ = [name for name in ways if from_here.get(name) != there.get(name)]
    shown = "; ".join(
        f"{name} {there.get(name)!r} in the ledger, {from_here.get(name)!r} in the code"
        for name in differ
    )
    return (
        f"Refused: run {run.pk} made another change than {run.job} registers ({shown}); nothing "
        "was changed. If a release before made it, name it in the transition's undoes."
    )


def _back(change: Change) -> Back:
    plain, kept = change.as_json(), change.kept
    values = {name: value for name, value in change.was.items() if name not in kept}
    to = {name: value for name, value in change.to.items() if name not in kept}
    return Back(
        model=change.model,
        was={**values, **to},
        to={name: values[name] for name in to},
        kept=kept,
        recorded={"model": plain["model"], "change": {**plain, **_swapped(plain)}},
    )


def _swapped(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return from what to what an undo puts rows back, of what the ledger keeps of a change."""
    kept = plain.get("kept", ())
    was = {name: value for name, value in plain["was"].items() if name not in kept}
    return {"was": {**was, **plain["to"]}, "to": {name: was[name] for name in plain["to"]}}
