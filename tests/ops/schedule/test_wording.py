"""The schedule of a job in words, with its zone."""

import pytest

from django_runbook.config import ConfigError, Job
from django_runbook.schedule.wording import words


@pytest.mark.parametrize(
    ("cron", "timezone", "said"),
    [
        ("17 4 * * *", "UTC", "At 04:17 every day (UTC)"),
        ("17 4 * * *", "Europe/Berlin", "At 04:17 every day (Europe/Berlin)"),
        ("*/5 * * * *", "UTC", "Every fifth minute of every hour (UTC)"),
        ("0 3 * * 1-5", "UTC", "At 03:00 on Monday through Friday (UTC)"),
        ("30 2 1 * *", "UTC", "At 02:30 on the first day of every month (UTC)"),
        (None, "UTC", ""),
    ],
)
def test_schedule_in_words(cron, timezone, said):
    """As cronsim explains it; none without a schedule."""
    assert words(Job(name="expire_trials", cron=cron, timezone=timezone)) == said


@pytest.mark.parametrize("cron", ["never", "0 0 30 2 *", "0 17 4 * * *"])
def test_schedule_that_is_never_due(cron):
    """It has no words: the error names the key."""
    with pytest.raises(ConfigError, match=r"jobs\.expire_trials\.cron = .* is never due"):
        words(Job(name="expire_trials", cron=cron))
