"""The history of a job page by page, with what it is filtered by; and what its runs took."""

import pytest

from django_runbook.jobs.ledger.reading.history import history_page
from tests.ops.jobs.past_runs import DAY, HOUR, INSTANT, MINUTE, SLOT, ran

pytestmark = pytest.mark.django_db
NAME = "expire_trials"


def pks(**asked) -> list[int]:
    """Return the runs of a page."""
    return [run.run for run in history_page(NAME, **asked).runs]


def test_pages_hold_every_run_once(django_assert_num_queries):
    """Newest first, the last one without another behind it; two queries each."""
    runs = [ran(started=SLOT + hours * HOUR).pk for hours in range(5)][::-1]
    undone = ran(job="another")
    ran(undoes=undone, job="another")
    seen, before = [], None
    while True:
        with django_assert_num_queries(2):
            page = history_page(NAME, before=before, count=2)
        seen.append([run.run for run in page.runs])
        before = page.before
        if before is None:
            break
    assert seen == [runs[:2], runs[2:4], runs[4:]]
    assert history_page(NAME, count=5).before is None
    assert history_page("nobody").runs == ()


def test_runs_of_a_status():
    """As it is shown: one whose heart has stopped is lost, and does not run."""
    ends = ("SUCCEEDED", "FAILED", "STOPPED", "REFUSED", "SKIPPED", "LOST", "RUNNING")
    runs = {end: ran(end).pk for end in ends}
    dead = ran("RUNNING", heartbeat=SLOT + MINUTE).pk
    found = {end: pks(status=end) for end in ends}
    assert found == {end: [pk] for end, pk in runs.items()} | {"LOST": [dead, runs["LOST"]]}
    for end in ends:
        assert {run.status for run in history_page(NAME, status=end).runs} == {end}


def test_runs_of_a_time():
    """Both ends are included; with a status and behind a page as well."""
    runs = [ran(started=SLOT + days * DAY).pk for days in range(4)]
    assert pks(since=SLOT + DAY) == runs[:0:-1]
    assert pks(until=SLOT + DAY) == runs[1::-1]
    assert pks(since=SLOT + INSTANT, until=SLOT + 3 * DAY - INSTANT) == [runs[2], runs[1]]
    failed = ran("FAILED", SLOT + 2 * DAY).pk
    ran("FAILED", SLOT)
    assert pks(status="FAILED", since=SLOT + DAY) == [failed]
    assert pks(before=runs[2], since=SLOT + DAY) == [runs[1]]


def test_page_tells_what_was_undone():
    """An undo is a run of the job, and stands beside what it took back."""
    first = ran(changed=5)
    undo = ran(started=SLOT + HOUR, undoes=first, changed=5)
    newest, oldest = history_page(NAME).runs
    assert (newest.undoes, oldest.undone_by, oldest.undone) == (first.pk, (undo.pk,), True)
