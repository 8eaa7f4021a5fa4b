"""A pause is in the ledger: who, why, until when; no run begins in it, and none is ended by it."""

import pytest
from django.db.models import F

from django_runbook.config import Job
from django_runbook.jobs.database.clock import database_now
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import pauses
from django_runbook.jobs.ledger.pauses import PausedError, PauseState, pause, resume
from django_runbook.jobs.ledger.recording.recording import recorded
from django_runbook.jobs.ledger.runs import Order, open_run
from django_runbook.jobs.ledger.who import Who
from django_runbook.jobs.models import Pause, Run
from tests.ops.jobs.past_runs import DAY, HOUR, INSTANT, MINUTE, SLOT, paused, ran

pytestmark = pytest.mark.django_db

JOB = Job(name="expire_trials", cron="17 4 * * *")
ME = Who(user="me", host="laptop")
CI = Who(user="runner", host="vm", ci_url="https://ci.example/1")


def state(**values) -> PauseState:
    """Return a pause of a day, from the slot on."""
    defaults = {
        "job": "expire_trials",
        "since": SLOT,
        "until": SLOT + DAY,
        "reason": "prices",
        "who": "me@laptop",
        "end": SLOT + DAY,
        "resumed_by": "",
    }
    return PauseState(**{**defaults, **values})


def test_pause_is_kept_with_who_and_why(monkeypatch):
    """What runs goes on and is named; a secret in the reason is masked."""
    monkeypatch.setenv("DEPLOY_TOKEN", "s3cr3t-of-env")
    running = ran("RUNNING", heartbeat=database_now())
    until = database_now() + DAY
    made = pause("expire_trials", until=until, reason="wait for s3cr3t-of-env", who=ME)
    row = Pause.objects.get()
    assert made.running == (running.pk,)
    assert made.pause == state(since=row.since, until=until, end=until, reason="wait for ***")
    assert abs(row.since - database_now()) < MINUTE
    assert (pauses.in_force("expire_trials"), pauses.in_force("another")) == (made.pause, None)


def test_paused_job_cannot_be_paused_again():
    """The first pause stands, and the error names it."""
    paused(SLOT)
    with pytest.raises(RefusedError) as refused:
        pause("expire_trials", until=None, reason="again", who=ME)
    assert str(refused.value) == (
        "Refused: expire_trials is paused since 2026-03-02T04:17Z by me@laptop (prices) already; "
        "nothing was changed. 'inv jobs.resume expire_trials' ends that pause first."
    )
    assert Pause.objects.count() == 1


def test_resume_ends_what_is_not_over():
    """One that has run out, and another job's, stay as they are."""
    over, open_one, other = paused(SLOT, SLOT + DAY), paused(SLOT), paused(SLOT, job="another")
    (ended,) = resume("expire_trials", who=CI)
    open_one.refresh_from_db()
    assert ended == state(until=None, end=open_one.resumed, resumed_by="https://ci.example/1")
    assert abs(open_one.resumed - database_now()) < MINUTE
    assert list(Pause.objects.filter(resumed=None).order_by("pk")) == [over, other]
    assert resume("expire_trials", who=ME) == []


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (SLOT - INSTANT, False),
        (SLOT, True),
        (SLOT + DAY - INSTANT, True),
        (SLOT + DAY, False),
    ],
)
@pytest.mark.parametrize("how", ["until", "resumed"])
def test_slot_lies_in_a_pause_from_its_start_and_before_its_end(how, at, inside):
    """Its end is when it was to end, or was ended before that."""
    if how == "until":
        expected = pauses.state(paused(SLOT, SLOT + DAY))
    else:
        expected = pauses.state(
            paused(SLOT, SLOT + 9 * DAY, resumed=SLOT + DAY, resumed_by="you@desk")
        )
    paused(SLOT, job="another")
    assert pauses.paused("expire_trials", at) == (expected if inside else None)


@pytest.mark.parametrize("until", [None, SLOT + 5000 * DAY])
def test_nothing_begins_in_a_pause(until):
    """Nothing is written: it is no run that was refused, and its slot stays free."""
    paused(SLOT, until)
    for order in (Order(), Order(slot=SLOT)):
        with pytest.raises(PausedError) as refused, recorded(JOB, order):
            pytest.fail("it began")
    assert str(refused.value) == (
        f"Refused: expire_trials is paused since 2026-03-02T04:17Z"
        f"{' until 2039-11-09T04:17Z' if until else ''} by me@laptop (prices); nothing was "
        "changed. 'inv jobs.resume expire_trials' ends the pause."
    )
    assert not Run.objects.exists()
    assert open_run(Job(name="another"), Order()).status == "RUNNING"


def test_what_is_not_a_start_of_the_job_goes_on():
    """An undo puts rows back while the job is paused, which is what one pauses it for."""
    first = ran()
    paused(SLOT)
    assert open_run(JOB, Order(), undoes=first).pk
    Pause.objects.update(until=F("since"))
    assert open_run(JOB, Order(), undoes=first).pk


def test_slots_outside_of_pauses():
    """Two pauses are left out, whatever their length; an open one leaves none behind it."""
    known = [
        state(since=SLOT + HOUR, end=SLOT + 2 * DAY),  # its end is a slot, which is outside
        state(since=SLOT + 3 * DAY, end=SLOT + 4 * DAY + INSTANT),
    ]
    found = list(pauses.slots_outside(JOB, SLOT - INSTANT, SLOT + 6 * DAY, known))
    assert found == [SLOT, SLOT + 2 * DAY, SLOT + 5 * DAY, SLOT + 6 * DAY]
    known.append(state(since=SLOT + 5 * DAY, until=None, end=None))
    found = list(pauses.slots_outside(JOB, SLOT - INSTANT, SLOT + 900 * DAY, known))
    assert found == [SLOT, SLOT + 2 * DAY]
    minutes = Job(name="often", cron="* * * * *")
    years = [state(since=SLOT, end=SLOT + 9000 * DAY)]  # thirteen million slots
    assert list(pauses.slots_outside(minutes, SLOT, SLOT + 9000 * DAY, years)) == [
        SLOT + 9000 * DAY
    ]
