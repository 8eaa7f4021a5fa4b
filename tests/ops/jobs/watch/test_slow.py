"""A run that takes three times its usual time is told of while it runs."""

import datetime

import pytest

from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.watch.status import check
from tests.ops.jobs.past_runs import DAY, HOUR, INSTANT, MINUTE, SLOT, ran

pytestmark = pytest.mark.django_db
SECOND = datetime.timedelta(seconds=1)


def took(*lengths: datetime.timedelta) -> None:
    """Let the job have succeeded so often, each time so long, the oldest first."""
    for number, length in enumerate(lengths):
        started = SLOT - (len(lengths) - number) * DAY
        ran(started=started, finished=started + length)


@pytest.mark.parametrize(
    ("lengths", "usual"),
    [
        ([], None),
        ([MINUTE, HOUR], None),  # too few to tell
        ([MINUTE, 9 * HOUR, 2 * MINUTE], 2 * MINUTE),
        ([MINUTE, 2 * MINUTE, 3 * MINUTE, 9 * HOUR], 2.5 * MINUTE),
        ([HOUR] * 30 + [MINUTE] * 11 + [HOUR] * 9, MINUTE),  # the last twenty
    ],
)
def test_usual_is_the_median_of_the_last_successes(lengths, usual):
    """Of three at the least; failures, undos, other jobs and runs that found nothing are not."""
    took(*lengths)
    for values in ({"status": "FAILED"}, {"undoes": ran("LOST")}, {"job": "another"}, {"due": 0}):
        ran(**{"started": SLOT, "finished": SLOT + DAY, **values})
    assert outcomes.usual("expire_trials") == usual


@pytest.mark.parametrize(
    ("usual", "limit"),
    [(SECOND, MINUTE), (20 * SECOND, MINUTE), (MINUTE, 3 * MINUTE), (HOUR, 3 * HOUR)],
)
def test_slow_is_three_times_that_and_a_minute_at_the_least(declare, usual, limit):
    """To the microsecond; it is no failure, and is over when the run is."""
    took(usual, usual, usual)
    run = ran("RUNNING", SLOT, slot=SLOT)
    (found,) = check(SLOT + limit)
    assert (found.ok, found.slow) == (True, None)
    (found,) = check(SLOT + limit + INSTANT)
    assert (found.ok, found.missed, found.failed) == (False, None, None)
    told = found.slow
    assert (told.run.run, told.lasts, told.usual) == (run.pk, limit + INSTANT, usual)
    run.status, run.finished = "SUCCEEDED", SLOT + DAY
    run.save()
    assert all(found.ok for found in check(SLOT + HOUR))


def test_oldest_of_several_runs_is_told_and_a_dead_one_is_lost(declare):
    """A run whose heart has stopped is not slow any more; one of another job is not this one's."""
    took(MINUTE, MINUTE, MINUTE)
    lost = ran("RUNNING", SLOT, heartbeat=SLOT)
    ran("RUNNING", SLOT, job="another")
    old = ran("RUNNING", SLOT + HOUR)
    ran("RUNNING", SLOT + 2 * HOUR)
    (found,) = check(SLOT + 3 * HOUR)
    assert (found.slow.run.run, found.failed.run) == (old.pk, lost.pk)


def test_nobody_knows_what_is_slow_without_a_history(declare):
    """The first runs may take as long as they want."""
    took(MINUTE, MINUTE)
    ran("RUNNING", SLOT)
    assert all(found.slow is None for found in check(SLOT + DAY))
