"""The table of the coming slots."""

import datetime

from django_runbook.config import Job
from django_runbook.schedule.coming_slots import table

NOW = datetime.datetime(2026, 10, 24, 12, 0, tzinfo=datetime.UTC)
TABLE = """\
job            UTC                   on the wall                 zone
expire_trials  Sun 2026-10-25 04:17  Sun 2026-10-25 04:17 +0000  UTC
expire_trials  Mon 2026-10-26 04:17  Mon 2026-10-26 04:17 +0000  UTC
poll           Sat 2026-10-24 22:30  Sun 2026-10-25 00:30 +0200  Europe/Berlin
poll           Sun 2026-10-25 23:30  Mon 2026-10-26 00:30 +0100  Europe/Berlin"""


def test_table_over_the_end_of_summer():
    """Aligned; the wall's hour stays, the one in UTC changes with the offset."""
    jobs = [
        Job(name="expire_trials", cron="17 4 * * *"),
        Job(name="never"),
        Job(name="poll", cron="30 0 * * *", timezone="Europe/Berlin"),
    ]
    assert table(jobs, NOW, 2) == TABLE


def test_table_of_nothing():
    """The head alone."""
    assert table([], NOW, 5) == "job  UTC  on the wall  zone"
