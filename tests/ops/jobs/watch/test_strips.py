"""The last slots of each job: what became of each, and that `check` says the same."""

import datetime
from dataclasses import replace
from itertools import takewhile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.config import Job
from django_runbook.jobs.ledger.reading import outcomes
from django_runbook.jobs.models import Pause, Run, Slot
from django_runbook.jobs.watch.overview import overview
from django_runbook.jobs.watch.snapshot import snapshot
from django_runbook.jobs.watch.states import State
from django_runbook.jobs.watch.status import check
from django_runbook.jobs.watch.strips import SlotEnd, SlotState
from django_runbook.jobs.watch.strips import strip as strip_of
from django_runbook.schedule import slots
from tests.ops.jobs.past_runs import (
    DAY,
    HOUR,
    INSTANT,
    JOB,
    MINUTE,
    SLOT,
    paused,
    ran,
    since,
)

pytestmark = pytest.mark.django_db
GRACE = 6 * HOUR
OPEN = (SlotEnd.MISSED, SlotEnd.FAILED, SlotEnd.RUNNING, SlotEnd.WAITING)


def strip(now: datetime.datetime, job: Job = JOB) -> tuple[SlotState, ...]:
    """Return the strip of the job."""
    (seen,) = snapshot([job], now, strips=True)
    return strip_of(seen)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "end"),
    [
        (None, "waiting"),
        ({"slot": SLOT}, "done"),
        ({}, "done"),  # nobody claimed it
        ({"slot": SLOT, "finished": SLOT + GRACE}, "done"),
        ({"slot": SLOT, "finished": SLOT + GRACE + INSTANT}, "late"),
        ({"finished": SLOT + GRACE + INSTANT}, "late"),
        ({"started": SLOT - INSTANT}, "waiting"),
        ({"started": SLOT + HOUR, "covers": SLOT - INSTANT}, "waiting"),
        ({"status": "FAILED", "slot": SLOT}, "failed"),
        ({"status": "LOST", "slot": SLOT}, "failed"),
        ({"status": "REFUSED", "slot": SLOT}, "failed"),
        ({"status": "FAILED"}, "failed"),
        ({"status": "FAILED", "started": SLOT - INSTANT}, "waiting"),  # of the slot before
        ({"status": "FAILED", "undoes": True}, "waiting"),
        ({"status": "STOPPED", "slot": SLOT}, "waiting"),  # the next one goes on
        ({"status": "SKIPPED", "slot": SLOT}, "skipped"),
        ({"status": "SKIPPED"}, "waiting"),
        ({"status": "RUNNING", "slot": SLOT}, "running"),
        ({"status": "RUNNING"}, "running"),
        ({"status": "RUNNING", "covers": SLOT - INSTANT}, "waiting"),
        ({"status": "RUNNING", "slot": SLOT, "heartbeat": SLOT}, "failed"),  # its heart stopped
        ({"slot": SLOT, "started": SLOT - HOUR}, "waiting"),  # a clock that was wrong
        ({"job": "another", "slot": SLOT}, "waiting"),
    ],
)
def test_end_of_a_slot(declare, values, end):
    """By the run that claimed it, else by those that did it or came to nothing in its time."""
    first = ran(started=SLOT - DAY, slot=SLOT - DAY)
    wanted = None
    if values is not None:
        run = ran(**{**values, **({"undoes": first} if values.get("undoes") else {})})
        wanted = None if end == "waiting" and values.get("status") != "STOPPED" else run.pk
    before, last = strip(SLOT + 5 * HOUR)[-2:]
    assert before == SlotState(at=SLOT - DAY, end=SlotEnd.DONE, run=first.pk)
    assert last == SlotState(at=SLOT, end=SlotEnd(end), run=wanted)


def test_slot_is_missed_when_its_grace_is_over(declare):
    """Not to the microsecond of its end; one that was stopped and left alone as well."""
    ran(started=SLOT - DAY)
    run = ran("STOPPED", SLOT, slot=SLOT)
    assert [one.end for one in strip(SLOT + GRACE)][-2:] == ["done", "waiting"]
    assert strip(SLOT + GRACE + INSTANT)[-1] == SlotState(at=SLOT, end=SlotEnd.MISSED, run=run.pk)
    Slot.objects.all().delete()
    assert strip(SLOT + GRACE + INSTANT)[-1] == SlotState(at=SLOT, end=SlotEnd.MISSED, run=None)


def test_failure_that_was_made_good_is_done(declare):
    """In the grace by a second start, or late by the run of the next night."""
    since(SLOT - DAY)
    failed = ran("FAILED", SLOT, slot=SLOT)
    assert strip(SLOT + DAY - MINUTE) == (SlotState(at=SLOT, end=SlotEnd.FAILED, run=failed.pk),)
    night = ran(started=SLOT + DAY, slot=SLOT + DAY)
    assert strip(SLOT + DAY + HOUR) == (
        SlotState(at=SLOT, end=SlotEnd.LATE, run=night.pk),
        SlotState(at=SLOT + DAY, end=SlotEnd.DONE, run=night.pk),
    )
    again = ran(started=SLOT + HOUR)
    assert strip(SLOT + DAY + HOUR)[0] == SlotState(at=SLOT, end=SlotEnd.DONE, run=again.pk)


def test_slot_in_a_pause_is_paused(declare):
    """Whatever came of it, but where somebody had it done all the same."""
    since(SLOT - 3 * DAY)
    paused(SLOT - 2 * DAY, SLOT + HOUR)
    ran("FAILED", SLOT - 2 * DAY, slot=SLOT - 2 * DAY)
    ran(started=SLOT - DAY, slot=SLOT - DAY)
    ran(started=SLOT + DAY)
    assert [one.end for one in strip(SLOT + DAY)] == ["paused", "done", "paused", "done"]


def test_slots_before_the_ledger_are_left_out(declare):
    """Nobody missed them; what the ledger knows of one is shown all the same."""
    since(SLOT + INSTANT)
    assert strip(SLOT + GRACE + HOUR) == ()
    run = ran(started=SLOT - DAY, slot=SLOT - DAY)
    assert strip(SLOT + DAY) == (
        SlotState(at=SLOT - DAY, end=SlotEnd.DONE, run=run.pk),
        SlotState(at=SLOT + DAY, end=SlotEnd.WAITING, run=None),
    )
    Run.objects.all().delete()
    assert strip(SLOT)[-1] == SlotState(at=SLOT - DAY, end=SlotEnd.DONE, run=None)  # not kept


def test_strip_is_of_the_last_thirty_slots(declare):
    """The oldest first; none of a job without a schedule; of each job its own."""
    tidy = Job(name="tidy", cron="*/30 * * * *", grace_hours=1)
    ran(started=SLOT, job="tidy")
    seen = snapshot([JOB, tidy, Job(name="by_hand")], SLOT + HOUR, strips=True)
    found = {one.job.name: strip_of(one) for one in seen}
    assert [one.at for one in found["expire_trials"]] == [
        SLOT - days * DAY for days in reversed(range(30))
    ]
    assert [one.end for one in found["tidy"]][-4:] == ["done", "done", "waiting", "waiting"]
    assert (len(found["tidy"]), found["by_hand"]) == (30, ())


def test_nobody_knows_when_a_slot_behind_many_runs_was_done(declare, monkeypatch):
    """It is not called late by the oldest run that was read."""
    monkeypatch.setattr(outcomes, "LOOK", 3)
    since(SLOT - DAY - INSTANT)
    ran(started=SLOT - DAY)
    for day in range(3):
        ran(started=SLOT + day * DAY + GRACE + HOUR)
    found = strip(SLOT + 2 * DAY + 8 * HOUR)
    assert [one.end for one in found] == ["done", "done", "late", "late"]
    assert [one.run for one in found][:2] == [None, None]


@st.composite
def ledgers(draw: st.DrawFn) -> dict:
    """Return a schedule, a time, runs, pauses, and since when the ledger is there."""
    hours = st.integers(-30, 80).map(lambda hour: SLOT + hour * HOUR)
    statuses = ["SUCCEEDED", "SUCCEEDED", "FAILED", "STOPPED", "SKIPPED", "REFUSED", "RUNNING"]
    run = st.fixed_dictionaries(
        {
            "status": st.sampled_from(statuses),
            "started": hours,
            "length": st.sampled_from([MINUTE, 3 * HOUR, 9 * HOUR]),
            "claims": st.booleans(),
            "covers": st.none() | hours,
            "dead": st.booleans(),
            "early": st.sampled_from([False, False, True]),
        }
    )
    pause = st.tuples(hours, st.sampled_from([None, HOUR, 20 * HOUR]))
    return {
        "cron": draw(st.sampled_from(["17 4 * * *", "17 */8 * * *", "17 4 * * 1,3"])),
        "now": SLOT + draw(st.integers(0, 90)) * HOUR + draw(st.sampled_from([INSTANT, MINUTE])),
        "since": draw(hours),
        "runs": draw(st.lists(run, max_size=8)),
        "pauses": draw(st.lists(pause, max_size=2)),
    }


def written(ledger: dict) -> Job:
    """Write a ledger anew, and return its job; nothing in it begins after its ``now``."""
    for table in (Slot, Run, Pause):
        table.objects.all().delete()
    now, job = ledger["now"], replace(JOB, cron=ledger["cron"])
    since(ledger["since"])
    for one in sorted(ledger["runs"], key=lambda one: one["started"]):
        if one["started"] > now:
            continue
        slot = slots.latest(job, one["started"]) if one["claims"] else None
        started = one["started"] - one["early"] * MINUTE / 2  # by a clock that is ahead
        values = {"slot": slot, "covers": one["covers"]}
        if one["status"] != "RUNNING":
            values["finished"] = min(started + one["length"], now)
        elif one["dead"]:
            values["heartbeat"] = started
        ran(one["status"], started, **values)
    for at, length in ledger["pauses"]:
        if at <= now:
            paused(at, length and at + length)
    return job


@pytest.mark.slow
@given(ledger=ledgers())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_slot_has_one_end_and_check_agrees(declare, ledger):
    """Every slot of the ledger's time stands there once; what is open in the strip is open there.

    The first open slot is the one that `check` calls missed, or waits for; those behind it whose
    grace is over are the others that it counts. Each end is borne out by its run.
    """
    job = written(ledger)
    declare(job)
    now, began, over = ledger["now"], ledger["since"], ledger["now"] - GRACE
    (seen,), (health,) = overview(now), check(now)
    assert (seen.health, seen.strip) == (health, strip(now, job))
    states = {one.at: one for one in seen.strip}
    times = [one.at for one in seen.strip]
    assert times == sorted(states)
    whole = set(slots.slots_between(job, began, now))
    assert whole <= states.keys()
    assert states.keys() - whole <= set(Slot.objects.values_list("at", flat=True))
    open_slots = [one for one in seen.strip if one.end in OPEN and one.at > began]
    late = [one.at for one in takewhile(lambda one: one.at < over, open_slots)]
    if health.paused:
        assert (health.missed, health.waiting, health.failed) == (None, None, None)
    elif late:
        assert (health.missed.slot, health.missed.more) == (late[0], len(late) - 1)
    else:
        assert health.missed is None
        assert health.waiting == next((one.at for one in open_slots), None)
    words = list(State)
    if health.state == State.LATE:
        assert states[health.waiting].end in (SlotEnd.WAITING, SlotEnd.FAILED)
    if health.waiting and states[health.waiting].end == SlotEnd.WAITING:
        assert words.index(health.state) <= words.index(State.LATE)
    for one in seen.strip:
        borne_out(one, over)


def borne_out(one: SlotState, over: datetime.datetime) -> None:
    """See that an end is what its run, its pause or the time says."""
    run = Run.objects.filter(pk=one.run).first()
    claimed = {
        SlotEnd.SKIPPED: ["SKIPPED"],
        SlotEnd.RUNNING: ["RUNNING"],
        SlotEnd.FAILED: ["FAILED", "LOST", "REFUSED", "RUNNING"],
        SlotEnd.DONE: ["SUCCEEDED"],
        SlotEnd.LATE: ["SUCCEEDED"],
    }
    if one.end in claimed:
        assert run.status in claimed[one.end]
    if one.end in (SlotEnd.DONE, SlotEnd.LATE):
        assert (run.finished > one.at + GRACE) is (one.end == SlotEnd.LATE)
    if one.end == SlotEnd.PAUSED:
        pauses = Pause.objects.filter(since__lte=one.at)
        assert any(each.until is None or one.at < each.until for each in pauses)
    if one.end in (SlotEnd.MISSED, SlotEnd.WAITING):
        assert (one.at < over) is (one.end == SlotEnd.MISSED)
