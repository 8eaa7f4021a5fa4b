"""The rows that a run changed, and those that it could not change."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.database.fields import ForeignText, Numbers
from django_runbook.jobs.errors import BrokenLedgerError
from django_runbook.jobs.models.runs import Run

LARGEST = models.BigIntegerField.MAX_BIGINT


class Batch(models.Model):
    """The rows that one transaction of a run changed: ``ids``, in one of two columns."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="batch_set")
    number = models.PositiveIntegerField()
    changed = models.PositiveIntegerField()
    #: Primary keys that are whole numbers: an array, where the engine has them.
    numbers = Numbers(null=True)
    #: Primary keys of any other kind.
    keys = models.JSONField(encoder=DjangoJSONEncoder, null=True)
    #: What the fields of each row were, and what they became, where the run does not know it of
    #: all rows together: a list for each key, in the order of the change's ``kept`` fields.
    old = models.JSONField(encoder=DjangoJSONEncoder, null=True)
    new = models.JSONField(encoder=DjangoJSONEncoder, null=True)
    finished = models.DateTimeField(db_default=Now())

    class Meta:
        """A batch that was committed cannot be written again."""

        constraints = (
            models.UniqueConstraint(fields=("run", "number"), name="runbook_jobs_batch_once"),
        )

    def __str__(self) -> str:
        """Return the run and the number."""
        return f"batch {self.number} of run {self.run_id}"

    @property
    def ids(self) -> list[Any]:
        """The primary keys of the rows, in the order in which they were changed.

        Raises ``BrokenLedgerError`` where that is no list, in one of the two columns.
        """
        found = self.keys if self.numbers is None else self.numbers
        both = self.numbers is not None and self.keys is not None
        if both or not isinstance(found, list):
            raise BrokenLedgerError(f"{self} holds no list of keys")
        return list(found)

    @ids.setter
    def ids(self, ids: list[Any]) -> None:
        whole = all(type(key) is int and abs(key) <= LARGEST for key in ids)
        self.numbers, self.keys = (ids, None) if whole else (None, ids)


class FailedRow(models.Model):
    """A row that a run could not change, and what the database or the job's code said."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="failed_rows")
    key = models.JSONField(encoder=DjangoJSONEncoder)
    error = ForeignText()
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        """Return the row and the run."""
        return f"row {self.key} of run {self.run_id}"
