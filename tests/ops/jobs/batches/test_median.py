"""What the limit on the median compares with: one value for each slot or day."""

import datetime

import pytest

from accounts.services import expire_trials
from django_runbook.jobs import Order
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger.reading import queries
from django_runbook.jobs.models import Run
from tests.factories import AccountFactory
from tests.ops.jobs import books
from tests.ops.jobs.books import DAY, NOW
from tests.ops.jobs.past_runs import HOUR, MINUTE, SLOT, ran

pytestmark = pytest.mark.django_db


@pytest.fixture
def night():
    """Return what lets four workers share the rows of a night: one has the slot, as pods do."""

    def worked(number: int) -> list[int]:
        slot = NOW + number * DAY
        books.open_accounts(200, created=slot - 62 * DAY)
        orders = [Order(slot=slot), Order(), Order(), Order()]
        done = [expire_trials(now=slot + MINUTE, order=order) for order in orders]
        Run.objects.filter(pk__in=[one.run for one in done]).update(started=slot + MINUTE)
        return [one.due for one in done]

    AccountFactory.create_batch(1_500)
    return worked


@pytest.mark.slow
def test_several_workers_do_not_refuse_themselves(night):
    """Night after night the first finds all of it and its helpers nothing."""
    assert [night(number) for number in range(5)] == [[200, 0, 0, 0]] * 5
    assert queries.last_due("expire_trials", 10) == [200] * 5


def test_one_value_for_each_slot():
    """The largest that was found for it: by a helper, by a second start, just after midnight."""
    late = datetime.datetime(2026, 3, 2, 23, 55, tzinfo=datetime.UTC)
    ran(slot=SLOT, started=SLOT, due=1_000)
    ran(slot=None, started=SLOT + MINUTE, due=3)
    ran(slot=None, started=SLOT + 4 * HOUR, due=2_000)
    ran(slot=late, started=late, due=90)
    ran(slot=None, started=late + 10 * MINUTE, due=80)
    assert queries.last_due("expire_trials", 10) == [90, 2_000]


def test_one_value_for_each_day_without_a_slot():
    """A job that is started by hand counts by the UTC day."""
    for hours, due in ((0, 5), (1, 7), (24, 11), (25, 2), (49, 13)):
        ran(started=SLOT + hours * HOUR, due=due)
    assert queries.last_due("expire_trials", 10) == [13, 11, 7]
    assert queries.last_due("expire_trials", 2) == [13, 11]


def test_runs_that_found_nothing_or_failed_or_were_undone_do_not_count():
    """A week without rows says nothing of a night that has some."""
    ran(slot=SLOT, started=SLOT, due=500)
    for day in range(1, 8):
        ran(slot=SLOT + day * DAY, started=SLOT + day * DAY, due=0)
    ran("FAILED", started=SLOT + 8 * DAY, due=9_000)
    mistake = ran(started=SLOT + 9 * DAY, due=9_000)
    ran(started=SLOT + 10 * DAY, due=9_000, undoes=mistake)
    assert queries.last_due("expire_trials", 10) == [500]


def test_refusal_names_what_it_compared_with():
    """Three slots or days with rows are enough."""
    for day in range(3):
        ran(started=SLOT + day * DAY, due=20)
    AccountFactory.create_batch(210)
    books.open_accounts(201)
    with pytest.raises(RefusedError) as refused:
        expire_trials(now=NOW)
    assert str(refused.value) == (
        "Refused: 201 rows are due, more than 10 times the median of the last 3 slots or days "
        "with rows, 20 (max_times_median); nothing was changed. "
        'If that is right: --allow 201 --reason "..."'
    )


@pytest.mark.slow
def test_dry_run_says_that_there_is_no_median_yet():
    """With the number of slots or days that it has; few rows are compared with nothing."""
    AccountFactory.create_batch(500)
    books.open_accounts(100)
    assert expire_trials(now=NOW, dry_run=True).note == ""
    books.open_accounts(1)
    for day in range(2):
        ran(started=SLOT + day * DAY, due=20)
    seen = expire_trials(now=NOW, dry_run=True)
    assert (seen.limit, seen.note) == (
        "",
        (
            "not held against a median: the ledger has 2 of the 3 slots or days with rows that it "
            "takes (max_times_median)"
        ),
    )
    ran(started=SLOT + 2 * DAY, due=20)
    assert expire_trials(now=NOW, dry_run=True).note == ""


def test_what_is_looked_at_has_an_end(monkeypatch, django_assert_num_queries):
    """A job that found nothing in its last runs is not read back to its first."""
    monkeypatch.setattr(queries, "PAGE", 3)
    monkeypatch.setattr(queries, "LOOKED_AT", 9)
    ran(started=SLOT, due=500)
    for minute in range(1, 21):
        ran(slot=SLOT + minute * MINUTE, started=SLOT + minute * MINUTE, due=0)
    with django_assert_num_queries(3):
        assert queries.last_due("expire_trials", 10) == []
