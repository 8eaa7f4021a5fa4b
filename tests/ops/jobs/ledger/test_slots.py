"""Who may claim a slot, and what is not believed of those that were claimed."""

import datetime

import pytest
from django.utils import timezone

from django_runbook.config import Job
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.pauses import PausedError
from django_runbook.jobs.ledger.runs import Order, open_run
from django_runbook.jobs.ledger.slots import SlotPausedError, SlotTakenError
from django_runbook.jobs.models import Pause, Run, Slot, Status
from tests.ops.jobs.past_runs import DAY, HOUR, SLOT

pytestmark = [pytest.mark.django_db, pytest.mark.engines("sqlite", "postgresql")]

TIDY = Job(name="tidy")
SECOND = datetime.timedelta(seconds=1)


def holds(status: str = "SUCCEEDED", started: datetime.datetime = SLOT) -> Run:
    """Return a run that has claimed the slot."""
    run = Run.objects.create(job="tidy", status=status, started=started, slot=SLOT)
    Slot.objects.create(job="tidy", at=SLOT, run=run)
    return run


@pytest.mark.parametrize("helps", [False, True])
def test_slot_of_the_future_is_claimed_by_nobody(helps):
    """By the database's clock, whatever this machine's says; a minute is not worth a refusal."""
    now = timezone.now()
    with pytest.raises(RefusedError, match=r"is a slot of the future: by the database's clock it"):
        open_run(TIDY, Order(slot=now + DAY, helps=helps))
    assert not Run.objects.exists()
    assert open_run(TIDY, Order(slot=now + 30 * SECOND)).status == Status.RUNNING


@pytest.mark.parametrize(("early", "believed"), [(30 * SECOND, True), (40 * DAY, False)])
def test_run_that_began_before_its_slot_had_come_is_not_believed(early, believed):
    """A machine whose clock was 40 days ahead has not done what is due today."""
    holder = holds(started=SLOT - early)
    if believed:
        with pytest.raises(SlotTakenError, match=f"already done by run {holder.pk}"):
            open_run(TIDY, Order(slot=SLOT))
        return
    run = open_run(TIDY, Order(slot=SLOT))
    assert Slot.objects.get().run == run


def test_slot_that_is_done_is_taken_over_with_a_reason():
    """The slot is the new run's, and the reason stands in the ledger, without secrets."""
    holds()
    order = Order(slot=SLOT, again="see postgresql://me:hunter22@host/x\0")
    run = open_run(TIDY, order)
    assert Slot.objects.get().run == run
    assert run.parameters == {"again": r"see postgresql://me:***@host/x\x00"}


def test_slot_of_a_run_that_is_no_longer_kept_is_done():
    """Until somebody takes it over."""
    Slot.objects.create(job="tidy", at=SLOT, run=None)
    with pytest.raises(SlotTakenError, match="already done by a run that is no longer kept"):
        open_run(TIDY, Order(slot=SLOT))
    run = open_run(TIDY, Order(slot=SLOT, again="once more"))
    assert Slot.objects.get().run == run


def test_slot_that_is_being_done_is_taken_over_by_nobody():
    """Two would do it at once."""
    running = open_run(TIDY, Order(slot=SLOT))
    with pytest.raises(SlotTakenError) as taken:
        open_run(TIDY, Order(slot=SLOT, again="hurry"))
    assert taken.value.being_done
    assert Slot.objects.get().run == running


def test_helper_claims_nothing_and_is_sent_home_when_the_slot_is_done():
    """Before the first has claimed it, beside it, and behind it."""
    helper = open_run(TIDY, Order(slot=SLOT, helps=True))
    assert (helper.slot, Slot.objects.count()) == (SLOT, 0)
    first = open_run(TIDY, Order(slot=SLOT))
    assert open_run(TIDY, Order(slot=SLOT, helps=True)).status == Status.RUNNING
    runs.close(first, Status.SUCCEEDED)
    with pytest.raises(SlotTakenError, match=f"already done by run {first.pk}"):
        open_run(TIDY, Order(slot=SLOT, helps=True))


@pytest.mark.parametrize("helps", [False, True])
def test_slot_in_a_pause_is_nobodys(helps):
    """Also when the pause is over; the line says who paused the job, why, and since when."""
    Pause.objects.create(
        job="tidy", since=SLOT - HOUR, until=SLOT + HOUR, reason="moving house", who="me@laptop"
    )
    with pytest.raises(SlotPausedError) as paused:
        open_run(TIDY, Order(slot=SLOT, helps=helps))
    assert str(paused.value) == (
        "tidy 2026-03-02T04:17Z: not done, paused since 2026-03-02T03:17Z until 2026-03-02T05:17Z "
        "by me@laptop (moving house)."
    )
    assert not Run.objects.exists()
    assert not Slot.objects.exists()
    assert open_run(TIDY, Order(slot=SLOT + HOUR)).status == Status.RUNNING  # no longer in it
    assert open_run(TIDY, Order(slot=SLOT, again="after all")).status == Status.RUNNING


def test_job_that_is_paused_now_does_not_begin_but_can_be_undone():
    """Neither for a slot of before, nor for none."""
    Pause.objects.create(job="tidy", reason="moving house", who="me@laptop")
    for slot in (None, SLOT):
        with pytest.raises(PausedError, match="Refused: tidy is paused since "):
            open_run(TIDY, Order(slot=slot))
    mistake = Run.objects.create(job="tidy", status=Status.SUCCEEDED)
    assert open_run(TIDY, Order(), undoes=mistake).undoes == mistake


def test_words_of_a_command_are_kept_without_secrets():
    """A word for each, so that they can be given again."""
    words = ("--token", "s3cr3t-word", "--password=x y", "--to=postgresql://me:hunter22@h/x", "a b")
    run = open_run(TIDY, Order(arguments=words))
    run.refresh_from_db()
    assert run.arguments == [
        "--token", "***", "--password=***", "--to=postgresql://me:***@h/x", "a b",
    ]  # fmt: skip
