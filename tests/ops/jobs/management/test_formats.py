"""Slots and durations are printed in one form."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_runbook.jobs.models import Slot
from django_runbook.jobs.report.formats import UNITS, duration
from tests.ops.jobs.management.printed import SLOT


def test_slot_of_a_run_is_kept_with_it(numbered):
    """The name of a slot is the one that every command prints."""
    slot = Slot.objects.create(job="expire_trials", at=SLOT, run=numbered(5, SLOT))
    assert str(slot) == "expire_trials 2026-03-02T04:17Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.26, "0.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (61.9, "1 min 1 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (25_920, "7 h 12 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (1e8, "1157 d 9 h"),
    ],
)
def test_duration_has_two_units(seconds, text):
    """The two largest; what is smaller is left out, and so is a zero."""
    assert duration(seconds) == text
    assert duration(datetime.timedelta(seconds=seconds)) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_duration_says_never_more_and_hardly_less(seconds):
    """Read back, it is right to within its smaller unit."""
    sizes = {unit: size for size, unit in UNITS}
    words = duration(seconds).split()
    pairs = [
        (float(number), sizes[unit]) for number, unit in zip(words[::2], words[1::2], strict=True)
    ]
    told = sum(number * size for number, size in pairs)
    units = [size for size, _unit in UNITS]
    smaller = units[min(units.index(pairs[0][1]) + 1, len(units) - 1)]
    assert told - 0.05001 <= seconds < told + smaller + 0.05001
    assert len(pairs) <= 2
