"""The ledger: every run of a job, the rows that it changed, and who may run now.

Times come from the database's clock, which all machines share; cutoffs come from the caller.
"""

import datetime
import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.database.fields import ForeignLine, ForeignText


class Status(models.TextChoices):
    """How far a run came."""

    RUNNING = "RUNNING", "running"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    FAILED = "FAILED", "failed"
    STOPPED = "STOPPED", "stopped early"
    REFUSED = "REFUSED", "refused by a guard"
    LOST = "LOST", "lost: its heartbeat stopped"


class Run(models.Model):
    """One execution of a job."""

    job = models.CharField(max_length=100)
    slot = models.DateTimeField(null=True, blank=True)
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
    #: What a transition does: ``model``, ``was`` and ``to``. Empty for any other command.
    change = models.JSONField(default=dict)
    due = models.PositiveBigIntegerField(null=True, blank=True)
    changed = models.PositiveBigIntegerField(default=0)
    batches = models.PositiveIntegerField(default=0)
    reason = ForeignText(blank=True)
    output = ForeignText(blank=True)
    allow = models.PositiveBigIntegerField(null=True, blank=True)
    allow_reason = ForeignText(blank=True)
    continues = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    undoes = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="undone_by"
    )

    class Meta:
        """The newest run of a job is asked for at every start."""

        indexes = (models.Index(fields=("job", "-id"), name="runbook_jobs_run_newest"),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=Status.values), name="runbook_jobs_run_status_valid"
            ),
        )

    def __str__(self) -> str:
        """Return the number, the job and the status."""
        return f"run {self.pk} of {self.job} ({self.get_status_display()})"

    @property
    def who(self) -> str:
        """Who ran it and where, such as ``me@laptop``; in CI, the address of the CI run."""
        return self.ci_url or f"{self.user}@{self.host}"

    @property
    def cutoff(self) -> datetime.datetime | None:
        """The frozen cutoff (aware); None for a command that has none."""
        text = self.parameters.get("cutoff")
        return datetime.datetime.fromisoformat(text) if text else None


class Batch(models.Model):
    """The rows that one transaction of a run changed."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="batch_set")
    number = models.PositiveIntegerField()
    changed = models.PositiveIntegerField()
    ids = models.JSONField(encoder=DjangoJSONEncoder)
    finished = models.DateTimeField(db_default=Now())

    class Meta:
        """A batch that was committed cannot be written again."""

        constraints = (
            models.UniqueConstraint(fields=("run", "number"), name="runbook_jobs_batch_once"),
        )

    def __str__(self) -> str:
        """Return the run and the number."""
        return f"batch {self.number} of run {self.run_id}"


class Slot(models.Model):
    """One time at which a job is due, and the run that has claimed it."""

    job = models.CharField(max_length=100)
    at = models.DateTimeField()
    run = models.ForeignKey(Run, models.CASCADE, related_name="slots")

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
