"""When a job may run: its slots, who holds it, and its pauses."""

from django.db import models

from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.database.fields import ForeignLine, ForeignText
from django_runbook.jobs.models.runs import Run


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
