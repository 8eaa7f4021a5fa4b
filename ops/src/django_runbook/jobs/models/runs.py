"""A run of a job, and the jobs as the admin knows them."""

import datetime
import uuid
from typing import Any

from django.core.checks import CheckMessage
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


class Job(Run):
    """The jobs in the admin: what may be looked at there, and done. It has no rows of its own."""

    class Meta:
        """Who may do what; each act asks for its own."""

        proxy = True
        default_permissions = ("view",)
        permissions = (
            ("run_job", "Can run a job, and try it"),
            ("pause_job", "Can pause and resume a job"),
            ("stop_run", "Can ask a run to stop"),
            ("undo_run", "Can undo a run"),
        )
