"""Who is told of a run, step by step."""

import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """Who is told of a run."""

    job: str  # as a slug, Sentry's monitor too
    run: uuid.UUID  # Healthchecks' rid, Sentry's check_in_id
    url: str | None = field(repr=False)  # whoever knows it can ping: a secret
    cron: str | None
    timezone: str
    timeout_minutes: float
    grace_hours: float
