"""The one word for how a job is, the same in each command, page and answer."""

from django.db.models import TextChoices


class State(TextChoices):
    """How a job is, the worst first: where several hold, the first of them is told."""

    FAILED = "failed", "failed"
    LOST = "lost", "lost"
    REFUSED = "refused", "refused"
    MISSED = "missed", "missed"
    STOPPED = "stopped", "stopped early"
    OVERDUE = "overdue", "overdue"
    SLOW = "slow", "slow"
    #: A slot has come, its grace is not over, and no run is doing it.
    LATE = "late", "late"
    PAUSED = "paused", "paused"
    RUNNING = "running", "running"
    OK = "ok", "OK"
