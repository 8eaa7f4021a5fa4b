"""The cron expression as every scheduler means it, and the safety net."""

import datetime
from itertools import takewhile

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from django_runbook.config import ConfigError, Job
from django_runbook.schedule import cron

START = datetime.datetime(2026, 2, 20)  # noqa: DTZ001  # a wall, with the shortest month ahead
SPAN = datetime.timedelta(days=40)
HOUR = datetime.timedelta(hours=1)
quick = settings(max_examples=60, deadline=None)


def job(expression, **more):
    """Return a declared job."""
    return Job(name="expire_trials", cron=expression, **more)


def due(expression, start=START):
    """Return when an expression is due over the span, on a wall without a zone."""
    times = CronSim(expression, start - datetime.timedelta(seconds=1))
    return set(takewhile(lambda time: time <= START + SPAN, times))


def meaning(expression):
    """Return what an expression allows; whether both days must match, where both are limited."""
    found = CronSim(expression, START)
    weekdays = {day % 7 for day in found.weekdays}
    limited = len(found.days) < 31, len(weekdays) < 7
    days = (found.days, weekdays, found.day_and and all(limited))
    if not any(limited) or not (found.day_and or all(limited)):
        days = "every day"  # one of them is enough, and one is
    return found.minutes, found.hours, found.months, days


def ranges(low, high, *, steps=True):
    """Return a strategy for a field: a star, a number, a range, a list, with steps or without."""
    number = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(
        lambda pair: f"{min(pair)}-{max(pair)}"
    )
    step = st.integers(1, high).map(str)
    parts = [number, span, *([st.tuples(number | span, step).map("/".join)] if steps else [])]
    listed = st.lists(st.one_of(parts), min_size=1, max_size=3).map(",".join)
    star = st.just("*")
    return star | listed | (st.tuples(star, step).map("/".join) if steps else star)


expressions = st.tuples(
    st.integers(0, 59).map(str) | st.sampled_from(["5,35", "7/20", "9-11"]),
    ranges(0, 23),
    ranges(1, 31),
    st.just("*") | ranges(1, 12),
    ranges(0, 7) | st.sampled_from(["MON-FRI", "sun", "5-7"]),
).map(" ".join)


def read(expression, **more):
    """Return an expression as it was read; None for one that is refused."""
    try:
        return cron.read(job(expression, **more))
    except ConfigError:
        return None


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("17 4 * * *", "17 4 * * *"),
        ("*/15 1-5/2 1,15 1-6 1-5", "*/15 1-5/2 1,15 1-6 1-5"),
        ("5/15 4 * * *", "5,20,35,50 4 * * *"),
        ("0 4 * JAN,jul Sun", "0 4 * 1,7 0"),
        ("0 4 * * 5-7", "0 4 * * 0,5,6"),
        ("0 4 */10 * *", "0 4 */10 * *"),
        ("0 4 1,*/10 * *", "0 4 1,11,21,31 * *"),
        ("0 4 1 * 0-6", "0 4 * * *"),
        ("0 4 1-31 * 1", "0 4 * * *"),
        ("0 4 * * 0-6", "0 4 * * 0-6"),
    ],
)
def test_words_for_any_scheduler(declared, written):
    """What all take stays as it is declared; the rest becomes a list of numbers."""
    assert str(cron.read(job(declared))) == written


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            "17 4 */2 * 1",
            (
                "cannot be told to a scheduler: its day and its weekday are both limited, and one "
                "begins with *, which schedulers read differently; "
                "allowed: one of the two, or a list for the steps."
            ),
        ),
        (
            "17 4 L * *",
            (
                "cannot be told to a scheduler: L and # are known to few schedulers; "
                "allowed: numbers, names, -, / and ,."
            ),
        ),
        ("17 4 * * 1#2", "cannot be told to a scheduler: L and # are known to few schedulers; "),
        ("17 4 * * 5L", "cannot be told to a scheduler: L and # are known to few schedulers; "),
        ("17 24 * * *", "is never due (Bad hour); "),
    ],
)
def test_what_schedulers_do_not_agree_on_is_refused(declared, message):
    """One line with the key, the value and what is allowed."""
    with pytest.raises(ConfigError) as error:
        cron.read(job(declared))
    where = f"tool.django-runbook.jobs.expire_trials.cron = {declared!r} "
    assert str(error.value).startswith(where + message)


@quick
@given(expressions)
@example("1 1 1-7 * 5,*/2")
@example("1 1 1-31 * 1")
@example("1 1 1-31 * *")
def test_words_mean_what_is_declared(expression):
    """However it is written, it allows the same, and reads as itself."""
    found = read(expression)
    if found:
        assert meaning(str(found)) == meaning(expression)
        assert str(read(str(found))) == str(found)


@pytest.mark.parametrize(
    ("declared", "hours", "lines", "why"),
    [
        ("17 4 * * *", 4, ("17 8 * * *",), ""),
        ("17 22 * * *", 4, ("17 2 * * *",), ""),
        ("17 22 * * 6", 4, ("17 2 * * 0",), ""),
        ("17 3,22 * * 5-7", 4, ("17 7 * * 0,5,6", "17 2 * * 0,1,6"), ""),
        ("17 22 1,27 3 *", 4, ("17 2 2,28 3 *",), ""),
        ("17 22 1,15 * 1-5", 4, ("17 2 2,16 * 2,3,4,5,6",), ""),
        ("17 */6 * * *", 4, ("17 4,10,16,22 * * *",), ""),
        ("17 */4 * * *", 4, (), "the next slot comes within 4 h"),
        ("*/15 * * * *", 4, (), "the next slot comes within 4 h"),
        ("17 8,22 28 * *", 4, ("17 12 28 * *",), "4 h later may be another month, which one "),
        ("17 22 * 2 *", 4, (), "4 h later may be another month, which one line cannot say"),
        ("17 22 * 2 1", 4, (), "4 h later may be another month, which one line cannot say"),
        ("17 4 * * *", None, (), "safety_hours is off"),
    ],
)
def test_safety_net(declared, hours, lines, why):
    """The same minute, some hours later; the days move where that is after midnight."""
    found, said = cron.safety_net(job(declared, safety_hours=hours))
    assert (found, said[: len(why) or None]) == (lines, why)


@quick
@given(expressions, st.integers(1, 23))
@example("17 20,23 27 * *", 4)
@example("17 0,20 * * 1", 4)
@example("17 23 28 2 *", 1)
@example("17 22 1 * 0-6", 4)
def test_safety_net_follows_every_slot(expression, hours):
    """Each of its times is so many hours after a slot; each slot has one, or it is said why not.

    A slot that another one follows as soon needs none.
    """
    expression = f"7 {expression.partition(' ')[2]}"  # the minutes stay as they are
    if read(expression) is None:
        return
    declared = due(expression, START - HOUR * hours)
    lines, why = cron.safety_net(job(expression, safety_hours=hours))
    nets = set().union(*map(due, lines))
    later = {slot + HOUR * hours for slot in declared}
    later = {time for time in later if START <= time <= START + SPAN - HOUR * hours}
    assert nets <= {slot + HOUR * hours for slot in declared}
    assert why or later <= nets | declared
    assert lines or why
