"""How far a run has come, how fast, and what is left."""

import datetime

import pytest

from django_runbook.jobs.errors import UnknownRunError
from django_runbook.jobs.models import Batch, Run
from django_runbook.jobs.watch import progress as module
from django_runbook.jobs.watch.progress import RunProgress, progress
from tests.ops.jobs.past_runs import HOUR, MINUTE, SLOT, ran

pytestmark = pytest.mark.django_db
SECOND = datetime.timedelta(seconds=1)


def going(*batches: tuple[int, int], **values) -> Run:
    """Return a run with these batches: so many rows, so many seconds after its start."""
    changed = sum(rows for rows, _at in batches)
    given = {"status": "RUNNING", "due": 1000, "changed": changed, "batches": len(batches)}
    run = ran(**{**given, **values})
    for number, (rows, after) in enumerate(batches, 1):
        at = SLOT + after * SECOND
        Batch.objects.create(run=run, number=number, changed=rows, ids=[], finished=at)
    return run


def test_run_under_way(django_assert_num_queries):
    """The pace is that between its batches, the rest is what was due; two queries."""
    run = going((100, 10), (100, 12), (300, 16), failed=20, heartbeat=SLOT + 20 * 365 * 24 * HOUR)
    with django_assert_num_queries(2):
        found = progress(run.pk, SLOT + MINUTE)
    assert found == RunProgress(
        run=run.pk,
        job="expire_trials",
        status="RUNNING",
        batches=3,
        changed=500,
        failed=20,
        due=1000,
        share=0.52,
        rate=400 / 6,
        left=datetime.timedelta(seconds=480 / (400 / 6)),
        seconds=60.0,
        heartbeat=run.heartbeat,
        stop_asked=None,
    )


def test_pace_is_that_of_the_last_batches(monkeypatch):
    """A run that was slow at its start is not slow for ever."""
    monkeypatch.setattr(module, "RECENT", 2)
    run = going((10, 100), (10, 200), (40, 201), (60, 202))
    assert progress(run.pk, SLOT + 203 * SECOND).rate == 50


def test_first_batch_is_measured_from_the_start():
    """There is nothing else to measure it by; before it nobody knows."""
    assert progress(going((100, 10)).pk, SLOT + 20 * SECOND).rate == 5
    nothing = progress(going().pk, SLOT + 20 * SECOND)
    assert (nothing.share, nothing.rate, nothing.left) == (0.0, None, None)


@pytest.mark.parametrize(
    ("values", "share", "rate", "left"),
    [
        ({"status": "SUCCEEDED", "due": 200}, 1.0, 200 / 60, None),
        ({"status": "SUCCEEDED", "due": 500}, 1.0, 200 / 60, None),  # others did the rest
        ({"status": "FAILED", "due": 500}, 0.4, 200 / 60, None),
        ({"status": "STOPPED", "due": 500}, 0.4, 200 / 60, None),
        ({"status": "LOST", "due": 500, "heartbeat": SLOT + 50 * SECOND}, 0.4, 4, None),
        ({"due": 500, "heartbeat": SLOT + 40 * SECOND}, 0.4, 5, None),  # nobody has said so yet
        ({"due": 150}, 1.0, 10, datetime.timedelta()),  # more came
        ({"due": 0, "changed": 0}, 0.0, 10, datetime.timedelta()),
        ({"due": None}, None, 10, None),
    ],
)
def test_share_and_rest(values, share, rate, left):
    """Of a run that is over, or lost, nothing is left; its pace is that since its start."""
    run = going((100, 10), (100, 20), **values)
    found = progress(run.pk, SLOT + MINUTE)
    assert (found.share, found.rate, found.left) == (share, rate, left)


def test_undo_is_like_any_other_run():
    """What is due is what the run that it takes back has changed."""
    first = ran(changed=400)
    found = progress(going((100, 10), (100, 20), due=400, undoes=first).pk, SLOT + MINUTE)
    assert (found.share, found.rate, found.left) == (0.5, 10, 20 * SECOND)


def test_wrapped_command_has_a_time_alone():
    """It has no rows: nobody knows how far it is."""
    run = ran("RUNNING", due=None, stop_asked=SLOT + MINUTE)
    found = progress(run.pk, SLOT + 90 * SECOND)
    assert (found.share, found.rate, found.left, found.batches) == (None, None, None, 0)
    assert (found.seconds, found.stop_asked) == (90.0, SLOT + MINUTE)


def test_clock_that_is_behind_makes_no_time_negative():
    """The start is by the database's clock, and ``now`` by another."""
    assert progress(going((100, 10)).pk, SLOT - HOUR).seconds == 0.0


def test_run_that_there_is_not():
    """The error says where to look."""
    with pytest.raises(UnknownRunError, match=r"There is no run 7. See 'inv jobs.history'."):
        progress(7, SLOT)
