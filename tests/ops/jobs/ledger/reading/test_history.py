"""Runs of the past as they stand: lost, undone, and settled by what came after."""

import pytest

from django_runbook.jobs.ledger.reading.details import details
from django_runbook.jobs.ledger.reading.history import RunState, history
from django_runbook.jobs.models import Run
from tests.ops.jobs.past_runs import DAY, HOUR, MINUTE, SLOT, ran

pytestmark = pytest.mark.django_db


def test_history_shows_runs_as_they_stand(declare):
    """Newest first: one whose heart has stopped is lost before anybody has marked it."""
    first = ran(due=5, changed=5, batches=1)
    ran("STOPPED", SLOT + HOUR, undoes=first, changed=2)
    undo = ran("SUCCEEDED", SLOT + 2 * HOUR, undoes=first, changed=3)
    ran("REFUSED", SLOT + 3 * HOUR, undoes=first)
    lost = ran("RUNNING", SLOT + DAY, heartbeat=SLOT + DAY + MINUTE, continues=first)
    ran(job="another")
    shown = list(history("expire_trials"))
    assert [(run.run, run.status, run.seconds) for run in shown] == [
        (lost.pk, "LOST", 60.0),
        (undo.pk + 1, "REFUSED", 60.0),
        (undo.pk, "SUCCEEDED", 60.0),
        (undo.pk - 1, "STOPPED", 60.0),
        (first.pk, "SUCCEEDED", 60.0),
    ]
    assert shown[-1] == RunState(
        run=first.pk,
        job="expire_trials",
        slot=None,
        status="SUCCEEDED",
        started=SLOT,
        finished=SLOT + MINUTE,
        seconds=60.0,
        due=5,
        changed=5,
        batches=1,
        who="me@laptop",
        reason="",
        stop_reason="",
        allow=None,
        allow_reason="",
        continues=None,
        undoes=None,
        undone_by=(undo.pk - 1, undo.pk),
        undone=True,
    )
    assert [run.job for run in history(count=2)] == ["another", "expire_trials"]
    Run.objects.filter(pk=undo.pk).delete()
    *_, oldest = history()
    assert (oldest.undone_by, oldest.undone) == ((undo.pk - 1,), False)


def test_history_costs_two_queries_however_long_it_is(declare, django_assert_num_queries):
    """The runs with their hearts, and what undid them."""
    for _ in range(5):
        ran(started=SLOT)
    with django_assert_num_queries(2):
        assert len(list(history())) == 5


def test_run_is_settled_by_the_next_success_of_its_kind(declare):
    """Of a run by a run of the job, of an undo by an undo of the same run."""
    first = ran("FAILED", SLOT)
    undo = ran("STOPPED", SLOT, undoes=first)
    assert (details(first.pk).settled_by, details(undo.pk).settled_by) == (None, None)
    again = ran("SUCCEEDED", SLOT, undoes=first)
    assert (details(first.pk).settled_by, details(undo.pk).settled_by) == (None, again.pk)
    success = ran("SUCCEEDED", SLOT)
    assert (details(first.pk).settled_by, details(undo.pk).settled_by) == (success.pk, again.pk)


def test_run_for_a_time_of_the_past_settles_none(declare):
    """It does not cover what the failed one was for; the next one does."""
    failed = ran("FAILED", SLOT, slot=SLOT)
    ran("SUCCEEDED", SLOT + MINUTE, covers=SLOT - DAY)
    assert details(failed.pk).settled_by is None
    success = ran("SUCCEEDED", SLOT + MINUTE, covers=SLOT + MINUTE)
    assert details(failed.pk).settled_by == success.pk
