"""The limit on the damage."""

import pytest

from django_runbook.config import Job
from django_runbook.jobs.batches.limits import check, exceeded
from django_runbook.jobs.errors import RefusedError

JOB = Job(name="tidy", max_due=5_000, max_times_median=10, max_share=0.5)


@pytest.mark.parametrize(
    ("due", "population", "last", "limit"),
    [
        (5_000, 20_000, [500, 500, 500], ""),
        (5_001, 20_000, [600, 600, 600], "more than the cap of 5,000 (max_due)"),
        (1_001, 20_000, [100, 100], ""),
        (
            1_001,
            20_000,
            [100, 1, 100],
            (
                "more than 10 times the median of the last 3 slots or days with rows, 100 "
                "(max_times_median)"
            ),
        ),
        (
            1_051,
            20_000,
            [100, 110],
            "",
        ),
        (
            1_051,
            20_000,
            [1, 100, 110, 4_000],
            (
                "more than 10 times the median of the last 4 slots or days with rows, 105 "
                "(max_times_median)"
            ),
        ),
        (1_001, 2_000, [], "more than 50% of 2,000 (max_share)"),
        (1_000, 2_000, [], ""),
        (100, 100, [1, 1, 1], ""),
        (101, 1_000, [1, 1, 1], "more than 10 times the median of the last 3 slots or days with"),
    ],
)
def test_limits(due, population, last, limit):
    """A cap, a multiple of the median of enough nights, a share; few rows exceed only the cap."""
    assert exceeded(JOB, due=due, population=population, last=last).startswith(limit)
    assert bool(limit) == bool(exceeded(JOB, due=due, population=population, last=last))


def test_only_the_last_ten_count():
    """What a job did a year ago says nothing of today."""
    last = [100] * 10 + [100_000] * 30
    assert "the last 10 slots or days with rows, 100 " in exceeded(
        JOB, due=2_000, population=10_000, last=last
    )


def test_limits_can_be_switched_off():
    """A job without limits changes what is due."""
    free = Job(name="tidy", max_due=None, max_times_median=None, max_share=None)
    assert exceeded(free, due=10**9, population=1, last=[1, 1, 1]) == ""


def test_refusal_says_the_numbers_and_the_way_on():
    """One line with the due rows, the limit, and the options that let it pass."""
    with pytest.raises(RefusedError) as refused:
        check(JOB, due=1_200, population=2_000, last=[], allow=None)
    assert str(refused.value) == (
        "Refused: 1,200 rows are due, more than 50% of 2,000 (max_share); nothing was changed. "
        'If that is right: --allow 1200 --reason "..."'
    )


def test_allowance_is_a_number_and_no_blank_cheque():
    """--allow lets as many rows pass as it says, and not one more."""
    check(JOB, due=9_000, population=9_000, last=[], allow=9_000)
    with pytest.raises(RefusedError) as refused:
        check(JOB, due=9_001, population=9_001, last=[], allow=9_000)
    assert str(refused.value) == (
        "Refused: 9,001 rows are due, more than --allow 9000; nothing was changed."
    )
