"""What a start does while another run of the job is under way: `overlap` = share, skip, wait."""

import datetime

import pytest
from django.utils import timezone

from django_runbook.config import Job
from django_runbook.jobs.database.clock import Now
from django_runbook.jobs.errors import RefusedError, SkippedError, StoppedError
from django_runbook.jobs.ledger import runs
from django_runbook.jobs.ledger.runs import Order, open_run, unfinished
from django_runbook.jobs.ledger.slots import SlotTakenError
from django_runbook.jobs.models import Lease, Run, Slot, Status
from tests.ops.jobs.past_runs import DAY, HOUR, MINUTE, SLOT

pytestmark = [pytest.mark.django_db, pytest.mark.engines("sqlite", "postgresql")]

SHARE, SKIP, WAIT = (Job(name="tidy", overlap=overlap) for overlap in ("share", "skip", "wait"))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Look at a lease every millisecond."""
    monkeypatch.setattr(runs, "LOOK_SECONDS", 0.001)


def test_share_begins_beside_the_other():
    """Both are under way, and none has a lease."""
    open_run(SHARE, Order())
    assert open_run(SHARE, Order()).status == Status.RUNNING
    assert not Lease.objects.exists()


def test_skip_leaves_the_start_out_with_its_slot():
    """It stands in the ledger as skipped; nobody does the slot after it, unless that is asked."""
    first = open_run(SKIP, Order())
    said = (
        f"tidy 2026-03-02T04:17Z: run {first.pk} (@) is under way, and overlap is "
        '"skip"; nothing was changed.'
    )
    with pytest.raises(SkippedError) as skipped:
        open_run(SKIP, Order(slot=SLOT))
    left_out = Run.objects.latest("pk")
    assert (str(skipped.value), skipped.value.run) == (said, left_out.pk)
    assert (left_out.status, left_out.slot, left_out.reason) == ("SKIPPED", SLOT, said)
    runs.close(first, Status.SUCCEEDED)
    with pytest.raises(SlotTakenError) as taken:
        open_run(SKIP, Order(slot=SLOT))
    assert str(taken.value) == (
        f"tidy 2026-03-02T04:17Z: skipped by run {left_out.pk} (@, 0 changed)."
    )
    again = open_run(SKIP, Order(slot=SLOT, again="the bills are missing"))
    assert (Slot.objects.get().run, again.parameters) == (again, {"again": "the bills are missing"})


@pytest.mark.parametrize(("ended", "skips"), [(HOUR, True), (-HOUR, False), (None, True)])
def test_skip_leaves_out_a_slot_that_came_meanwhile(ended, skips):
    """Also where a scheduler starts it only after the other's end, as systemd and GitHub do."""
    Run.objects.create(
        job="tidy",
        status=Status.RUNNING if ended is None else Status.STOPPED,
        started=SLOT - 2 * HOUR,
        heartbeat=timezone.now(),
        finished=None if ended is None else SLOT + ended,
    )
    order = Order(slot=SLOT, latest=True)
    if not skips:
        assert open_run(SKIP, order).status == Status.RUNNING
        return
    with pytest.raises(SkippedError, match=r"was under way then, and overlap is"):
        open_run(SKIP, order)
    asked_for = Order(slot=SLOT + DAY)
    assert open_run(SKIP, asked_for).status == Status.RUNNING


def test_wait_begins_at_the_end_of_the_other(monkeypatch):
    """It says once for whom it waits, its heart beats, and then it has the lease."""
    first, told = open_run(WAIT, Order()), []

    def waits(line: str) -> str:
        told.append(line)
        mine = Run.objects.latest("pk")
        if len(told) == 1:
            Run.objects.filter(pk=mine.pk).update(heartbeat=Now() - MINUTE)
        else:
            assert timezone.now() - mine.heartbeat < datetime.timedelta(seconds=30)
        if len(told) == 3:
            runs.close(first, Status.SUCCEEDED)
        return ""

    second = open_run(WAIT, Order(slot=SLOT, waits=waits))
    assert told == [f"tidy: waits for the end of run {first.pk} (@)."] * 3
    assert (Lease.objects.get().token, second.status) == (second.token, Status.RUNNING)


def test_wait_ends_where_the_end_is_asked_for():
    """Stopped, with nothing changed and nothing to go on with; the slot is free for the next."""
    first = open_run(WAIT, Order())
    with pytest.raises(StoppedError) as stopped:
        open_run(
            WAIT, Order(slot=SLOT, waits=lambda _line: "SIGTERM"), parameters={"cutoff": "old"}
        )
    said = f"SIGTERM, while tidy waited for the end of run {first.pk} (@)"
    waited = Run.objects.latest("pk")
    assert (str(stopped.value), waited.status, waited.reason) == (said, "STOPPED", said)
    assert unfinished("tidy", SLOT) is None
    runs.close(first, Status.SUCCEEDED)
    assert open_run(WAIT, Order(slot=SLOT)).status == Status.RUNNING


def test_wait_ends_where_the_ledger_says_so():
    """As by `jobs.stop`, which another process asks for."""
    first = open_run(WAIT, Order())

    def stop(_line: str) -> str:
        mine = Run.objects.filter(pk=Run.objects.latest("pk").pk)
        mine.update(stop_asked=Now(), stop_reason="me@laptop: too late")
        return ""

    with pytest.raises(StoppedError, match=r"^me@laptop: too late, while tidy waited for the end"):
        open_run(WAIT, Order(waits=stop))
    assert Lease.objects.get().run == first


@pytest.mark.parametrize("job", [SKIP, WAIT])
def test_undo_neither_skips_nor_waits(job):
    """It is refused: a person is there, and the rows are being changed."""
    first = open_run(job, Order())
    mistake = Run.objects.create(job="tidy", status=Status.SUCCEEDED)
    with pytest.raises(
        RefusedError, match=f"Refused: tidy runs alone and is being run by run {first.pk}"
    ):
        open_run(job, Order(), undoes=mistake)
    assert Run.objects.latest("pk").status == Status.REFUSED
