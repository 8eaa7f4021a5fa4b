"""Why an undo leaves rows alone: each reason once, whatever the number of rows and runs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from django_runbook.jobs.batches.loop import Work
from django_runbook.jobs.batches.undo.undoable import Back, Piece
from django_runbook.jobs.ledger.reading.keys import Keys
from django_runbook.jobs.ledger.reading.rows import TOGETHER, Newest
from django_runbook.jobs.models import Batch, Run

#: States that are told by name; what is more has "changed since".
MOST_STATES = 10


class LeftAlone:
    """Counts the rows that an undo of ``run`` leaves alone."""

    def __init__(self, back: Back, run: Run) -> None:
        self._back = back
        self._using = run._state.db or DEFAULT_DB_ALIAS
        self._keys = Keys(back.model, connections[self._using])
        self._states: Counter[str] = Counter()
        self._runs: Counter[int] = Counter()

    def changed_again(self, rows: Iterable[Newest]) -> None:
        """Count rows that a later batch changed."""
        self._runs.update(newest.run for newest in rows)

    def look_at(self, work: Work, piece: Piece) -> None:
        """Count the rows of a piece that were not put back, by the state that they are in."""
        last = Batch.objects.filter(run=work.run).defer("old", "new").order_by("-number").first()
        put_back = set(self._keys.of(last)) if last else set()
        failed = {self._keys.spelt(key) for key in work.failures.keys} if work.failures else set()
        if failed := failed.intersection(piece.ids):
            self._states["could not be put back"] += len(failed)
        rest = [key for key in piece.ids if key not in put_back and key not in failed]
        if not rest:
            return
        names = list(self._back.to)
        rows = self._back.model._base_manager.using(self._using).filter(pk__in=rest)
        found = 0
        for state in rows.values_list(*names or ["pk"]).iterator(chunk_size=2000):
            found += 1
            self._states[self._named(dict(zip(names, state, strict=False)))] += 1
        self._states.update({"gone": len(rest) - found} if found < len(rest) else {})

    def told(self) -> dict[str, Any]:
        """Return ``others`` and ``owners`` of an undo's result."""
        others = Counter(self._states)
        owners: dict[str, dict[int, int]] = defaultdict(dict)
        undos = _undos(list(self._runs))
        for run, count in sorted(self._runs.items()):
            why = "put back" if run in undos else "changed again"
            others[why] += count
            owners[why][run] = count
        return {"others": dict(sorted(others.items())), "owners": dict(owners)}

    def _named(self, state: Mapping[str, Any]) -> str:
        """Name a state by the constants that the run set; of kept values nothing is told."""
        name = ", ".join(f"{name}={value}" for name, value in state.items())
        known = name in self._states or len(self._states) < MOST_STATES
        return name if name and known and not self._back.kept else "changed since"


def _undos(runs: list[int]) -> set[int]:
    """Return which of these runs are undos."""
    found: set[int] = set()
    for start in range(0, len(runs), TOGETHER):
        some = Run.objects.filter(pk__in=runs[start : start + TOGETHER], undoes__isnull=False)
        found.update(some.values_list("pk", flat=True))
    return found
