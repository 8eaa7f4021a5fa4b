"""One batch of an undo: rows that are as the run has left them become what they were."""

import json
from collections import defaultdict
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

from django_runbook.jobs.batches.rows import changes, values
from django_runbook.jobs.batches.rows.changes import Changed
from django_runbook.jobs.batches.rows.failures import Failures, Trial
from django_runbook.jobs.batches.undo.undoable import Back, Piece
from django_runbook.jobs.errors import BrokenLedgerError
from django_runbook.jobs.ledger.reading.keys import Keys
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.registry import Change, field_of

#: So many different values of rows are set by a statement each; more are set together.
FEW_VALUES = 20


class PutBack:
    """What an undo does with a piece of a batch, as the loop wants it: pick, then apply."""

    def __init__(self, back: Back, piece: Piece, run: Run) -> None:
        self._back, self._piece = back, piece
        self._using = run._state.db or DEFAULT_DB_ALIAS
        self._fields = [field_of(back.model, name) for name in back.kept]
        self._keys = Keys(back.model, connections[self._using])
        self._places = {key: place for place, key in enumerate(piece.ids)}
        self._constants = {
            field_of(back.model, name).attname: value for name, value in back.to.items()
        }
        #: How many rows the database has changed in this try.
        self._changed = 0

    def picked(self, size: int) -> QuerySet[Any, Any]:
        """Return the first rows that may be put back, to be locked by whoever reads them."""
        features = connections[self._using].features
        rows: QuerySet[Any] = self._back.model._base_manager.using(self._using)
        if features.has_select_for_update:
            rows = rows.select_for_update(no_key=features.has_select_for_no_key_update)
        still = rows.filter(pk__in=self._piece.ids[:size], **self._back.was)
        names = (field.attname for field in self._fields)
        return still.order_by("pk").values_list("pk", *names)

    def apply(
        self,
        picked: QuerySet[Any, Any],
        change: Change,
        run: Run,
        number: int,
        failures: Failures | None,
    ) -> Changed:
        """Put them back, and write the batch. Runs in the caller's transaction."""
        if not self._fields:
            return changes.apply(picked, change, run, number, failures)
        self._changed = 0
        found = {self._keys.spelt(key): row for key, *row in picked}
        still = [
            key
            for key, new in zip(self._piece.ids, self._piece.new, strict=True)
            if key in found and self._encoded(found[key]) == new
        ]
        trial = Trial(failures) if failures and failures.careful else None
        if trial is None:
            self._set(still)
        else:
            still = trial.act(still, self._set)
            trial.write()
            self._changed = -1  # it counts what was rolled back as well
        piece = self._piece.at([self._places[key] for key in self._set_at_last(still)])
        if piece.ids:
            batch = Batch(run=run, number=number, changed=len(piece.ids))
            batch.ids, batch.old, batch.new = piece.ids, piece.new, piece.old
            batch.save(using=self._using, force_insert=True)
        return Changed(len(found), len(piece.ids), None, trial=trial)

    def _set(self, ids: list[Any]) -> None:
        """Set what these rows were."""
        alike = defaultdict(list)
        for key in ids:
            alike[json.dumps(self._piece.old[self._places[key]])].append(key)
        if len(alike) <= FEW_VALUES:
            for group in alike.values():
                self._changed += self._rows(group).update(**self._values(group[0]))
            return
        instances = []
        for key in ids:
            instance = self._back.model(pk=key)
            for name, value in self._values(key).items():
                setattr(instance, name, value)
            instances.append(instance)
        names = [*self._back.to, *self._back.kept]
        manager = self._back.model._base_manager.using(self._using)
        self._changed += manager.bulk_update(instances, names)

    def _set_at_last(self, ids: list[Any]) -> list[Any]:
        """Return those rows that the database has changed: a trigger may have kept some."""
        if self._changed == len(ids):
            return ids
        names = (field.attname for field in self._fields)
        now = self._rows(ids).filter(**self._back.to).values_list("pk", *names)
        found = {self._keys.spelt(key): self._encoded(row) for key, *row in now}
        return [key for key in ids if found.get(key) == self._piece.old[self._places[key]]]

    def _rows(self, ids: list[Any]) -> QuerySet[Any]:
        return self._back.model._base_manager.using(self._using).filter(pk__in=ids)

    def _values(self, key: Any) -> dict[str, Any]:
        """Return what a row was, by the names of attributes."""
        row = zip(self._fields, self._piece.old[self._places[key]], strict=True)
        try:
            was = {field.attname: values.decode(field, value) for field, value in row}
        except Exception as error:  # whatever a project's own field raises
            raise BrokenLedgerError(f"no old value of row {key} can be read") from error
        return {**self._constants, **was}

    def _encoded(self, row: Any) -> list[Any]:
        pairs = zip(self._fields, row, strict=True)
        return [values.encode(field, value) for field, value in pairs]
