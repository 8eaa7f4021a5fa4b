"""How the primary keys of a model stand in the ledger, and the models that share them."""

from typing import Any

from django.apps import apps
from django.db import models

from django_runbook.jobs.database.fields import WHOLE
from django_runbook.jobs.errors import BrokenLedgerError
from django_runbook.jobs.models import Batch
from django_runbook.text.cleaning import storable


class Keys:
    """Reads the keys of batches: those of one row are equal, whoever wrote them.

    ``whole`` and ``text`` are kinds that a server can compare as they stand in the ledger; any
    other kind is read by its field, for engines spell it in different ways.
    """

    def __init__(self, model: type[models.Model], connection: Any) -> None:
        field: Any = model._meta.pk
        while field.remote_field:  # a parent's key, or that of a one-to-one relation
            field = field.target_field
        self._field: Any = field
        column = self._field.rel_db_type(connection)
        on_server = connection.vendor != "postgresql" or column in WHOLE
        self.whole = isinstance(self._field, models.IntegerField) and on_server
        kinds = (models.UUIDField, models.CharField, models.TextField)
        self.text = isinstance(self._field, kinds)
        name = self._field.get_internal_type()
        self._range = connection.ops.integer_field_range(name) if self.whole else (None, None)

    def of(self, batch: Batch) -> list[Any]:
        """Return the keys of a batch. Raises ``BrokenLedgerError`` where they cannot be such."""
        ids = batch.ids
        if len(ids) != batch.changed:
            raise BrokenLedgerError(f"{batch} counts {batch.changed:,} rows and holds {len(ids):,}")
        try:
            read, is_right = self._read(ids, in_numbers=batch.keys is None)
        except Exception as error:  # whatever a project's own field raises
            raise BrokenLedgerError(f"{batch} holds a key of a wrong type") from error
        if not is_right:
            raise BrokenLedgerError(f"{batch} holds a key of a wrong type")
        return read

    def spelt(self, key: Any) -> Any:
        """Return a key that the database has returned as ``of`` returns it."""
        return str(key) if self.text else key

    def strictly(self, batch: Batch) -> list[Any]:
        """Return the same, and look at each key. Raises ``BrokenLedgerError`` for one twice too."""
        ids = self.of(batch)
        if len(set(ids)) != len(ids):
            raise BrokenLedgerError(f"{batch} holds a key twice")
        if isinstance(self._field, models.UUIDField):
            try:
                spelled = [str(self._field.to_python(key)) for key in ids]
            except Exception as error:
                raise BrokenLedgerError(f"{batch} holds a key of a wrong type") from error
            if spelled != ids:
                raise BrokenLedgerError(f"{batch} holds a key of a wrong type")
        return ids

    def _read(self, ids: list[Any], *, in_numbers: bool) -> tuple[list[Any], bool]:
        """Return the keys, and whether each is one."""
        kinds = set(map(type, ids))
        if self.whole:
            least, most = self._range
            fits = kinds <= {int} and (
                not ids or ((least is None or min(ids) >= least) and max(ids) <= (most or max(ids)))
            )
            return ids, fits and in_numbers
        if self.text:
            fits = kinds <= {str} and not in_numbers
            return ids, fits and (text := "".join(ids)) == storable(text)
        return [self._field.to_python(key) for key in ids], not kinds & {dict, list, type(None)}


def family(model: type[models.Model]) -> list[str]:
    """Return the labels of the models whose keys are those of ``model``'s rows.

    Proxies, and parents and children of one inheritance, are other names for the same rows.
    """

    def line(one: type[models.Model]) -> set[Any]:
        concrete: Any = one._meta.concrete_model
        return {concrete, *concrete._meta.get_parent_list()}

    own = line(model)
    roots = {one for one in own if not one._meta.parents}
    found = (other._meta.label_lower for other in apps.get_models() if roots & line(other))
    return sorted({model._meta.label_lower, *found})
