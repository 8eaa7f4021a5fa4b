"""The ledger: every run of a job, the rows that it changed, and who may run now.

Times come from the database's clock, which all machines share; cutoffs come from the caller.
"""

import datetime
import uuid
from typing import Any

from django.core.checks import CheckMessage
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.database.fields import ForeignLine, ForeignText, Numbers
from django_runbook.jobs.errors import BrokenLedgerError

LARGEST = models.BigIntegerField.MAX_BIGINT


class Status(models.TextChoices):
    """How far a run came."""

    RUNNING = "RUNNING", "running"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    FAILED = "FAILED", "failed"
    STOPPED = "STOPPED", "stopped early"
    REFUSED = "REFUSED", "refused by a guard"
    SKIPPED = "SKIPPED", "skipped: another was running"
    LOST = "LOST", "lost: its heartbeat stopped"


class Run(models.Model):
    """One execution of a job."""

    job = models.CharField(max_length=100)
    slot = models.DateTimeField(null=True, blank=True)
    #: Up to when it did what there was to do: its ``as_of``; None for its start.
    covers = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.RUNNING)
    started = models.DateTimeField(db_default=Now())
    heartbeat = models.DateTimeField(db_default=Now())
    finished = models.DateTimeField(null=True, blank=True)
    exclusive = models.BooleanField(default=False)
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    user = ForeignLine(max_length=150, blank=True)
    host = ForeignLine(max_length=255, blank=True)
    pid = models.PositiveBigIntegerField(default=0)
    ci_url = ForeignLine(max_length=500, blank=True)
    parameters = models.JSONField(default=dict)
    #: What a wrapped command was given, without secrets.
    arguments = models.JSONField(default=list)
    #: What a transition does: ``model``, ``was`` and ``to``. Empty for any other command.
    change = models.JSONField(default=dict)
    #: The label of the model whose rows it changes; empty for any other command.
    model = models.CharField(max_length=201, blank=True)
    #: The key of the last row of its last batch, in the order of the run.
    cursor = models.JSONField(null=True, blank=True)
    due = models.PositiveBigIntegerField(null=True, blank=True)
    changed = models.PositiveBigIntegerField(default=0)
    batches = models.PositiveIntegerField(default=0)
    #: Rows that could not be changed; each is a ``FailedRow``.
    failed = models.PositiveBigIntegerField(default=0)
    reason = ForeignText(blank=True)
    output = ForeignText(blank=True)
    allow = models.PositiveBigIntegerField(null=True, blank=True)
    allow_reason = ForeignText(blank=True)
    #: When somebody asked it to end after its batch, and who and why.
    stop_asked = models.DateTimeField(null=True, blank=True)
    stop_reason = ForeignText(blank=True)
    continues = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    undoes = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="undone_by", db_index=False
    )

    class Meta:
        """The newest run of a job is asked for at every start, by how it came out too.

        Few runs continue or undo another. With all the others in its index, SQLite would look for
        the runs of a job in that: nearly all are no undo.
        """

        indexes = (
            models.Index(fields=("job", "-id"), name="runbook_jobs_run_newest"),
            models.Index(fields=("job", "status", "-id"), name="runbook_jobs_run_ended"),
            models.Index(fields=("status", "heartbeat"), name="runbook_jobs_run_beating"),
            models.Index(fields=("model", "id"), name="runbook_jobs_run_model"),
            models.Index(
                fields=("continues",),
                condition=models.Q(continues__isnull=False),
                name="runbook_jobs_run_continued",
            ),
            models.Index(
                fields=("undoes",),
                condition=models.Q(undoes__isnull=False),
                name="runbook_jobs_run_undone",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values), name="runbook_jobs_run_status_valid"
            ),
        )

    def __str__(self) -> str:
        """Return the number, the job and the status."""
        return f"run {self.pk} of {self.job} ({self.get_status_display()})"

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Leave out the warning that MySQL and MariaDB will index every run: that is well there."""
        return [found for found in super().check(**kwargs) if found.id != "models.W037"]

    @property
    def who(self) -> str:
        """Who ran it and where, such as ``me@laptop``; in CI, the address of the CI run."""
        return self.ci_url or f"{self.user}@{self.host}"

    @property
    def cutoff(self) -> datetime.datetime | None:
        """The frozen cutoff (aware); None where there is none that can be read."""
        return self.parameter("cutoff")

    def parameter(self, name: str) -> datetime.datetime | None:
        """Return a time among the parameters (aware); None where there is none that is readable."""
        text = self.parameters.get(name) if isinstance(self.parameters, dict) else None
        try:
            at = datetime.datetime.fromisoformat(text)  # type: ignore[arg-type]  # or it raises
        except (TypeError, ValueError):
            return None
        return at if at.tzinfo else None


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


class Slot(models.Model):
    """One time at which a job is due, and the run that has claimed it."""

    job = models.CharField(max_length=100)
    at = models.DateTimeField()
    #: None where it was done by a run that is no longer kept.
    run = models.ForeignKey(Run, models.SET_NULL, null=True, blank=True, related_name="slots")

    class Meta:
        """Of two schedulers, one wins."""

        constraints = (
            models.UniqueConstraint(fields=("job", "at"), name="runbook_jobs_slot_once"),
        )

    def __str__(self) -> str:
        """Return the job and the time."""
        return f"{self.job} {self.at:%Y-%m-%dT%H:%MZ}"


class Lease(models.Model):
    """Who may run an exclusive job, until when. It runs out by itself: no crash holds it."""

    job = models.CharField(max_length=100, unique=True)
    token = models.UUIDField()
    run = models.ForeignKey(Run, models.CASCADE, related_name="leases")
    expires = models.DateTimeField()

    def __str__(self) -> str:
        """Return the job and its holder."""
        return f"{self.job}, held by run {self.run_id}"


class Pause(models.Model):
    """A time in which a job does not run: its slots are neither claimed nor missed."""

    job = models.CharField(max_length=100)
    since = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True, blank=True)
    reason = ForeignText()
    who = ForeignLine(max_length=500)
    #: When somebody ended it before its time, and who.
    resumed = models.DateTimeField(null=True, blank=True)
    resumed_by = ForeignLine(max_length=500, blank=True)

    class Meta:
        """The pauses of a job are asked for at every start."""

        indexes = (models.Index(fields=("job", "-id"), name="runbook_jobs_pause_newest"),)

    def __str__(self) -> str:
        """Return the job and the time."""
        return f"{self.job}, paused since {self.since:%Y-%m-%dT%H:%MZ}"
