"""Jobs whose rows stay due go through them once: nothing is changed twice, and nothing left out."""

from decimal import Decimal

import pytest
from django.db.models import F

from django_runbook.config import ConfigError
from django_runbook.jobs.batches.preview import preview_transition
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.errors import FailedError, RefusedError
from django_runbook.jobs.ledger import leases, runs
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Batch, Lease, Run, Status
from tests.ops.jobs import books, shelf
from tests.ops.jobs.shelf import Item, Tag

pytestmark = [pytest.mark.usefixtures("shelf"), pytest.mark.engines("sqlite", "postgresql")]

COUNT = 10


def dearer(**values):
    """Register the job that makes all prices a tenth higher, once."""
    return shelf.job(to={"price": F("price") * Decimal("1.1")}, once=True, **values)


@pytest.fixture(autouse=True)
def items(shelf):
    """Create items at the price of ten."""
    for number in range(COUNT):
        Item.objects.create(name=f"item {number}", price=10)


def prices():
    """Return the prices in the order of the keys."""
    return [int(price) for price in Item.objects.order_by("pk").values_list("price", flat=True)]


def stopping(batches):
    """Return what asks for the end after so many batches, as keywords of a run."""
    stop, seen = Stop(), []

    def watch(batch):
        seen.append(batch)
        if len(seen) == batches:
            stop.ask("SIGTERM")

    return {"stop": stop, "watch": watch}


def refusal(moved, **values):
    """Return what a run of a job is refused with, having changed nothing."""
    before = prices(), Run.objects.count()
    with pytest.raises(RefusedError) as refused:
        shelf.go(moved, **values)
    assert (prices(), Run.objects.count()) == before
    return str(refused.value)


def test_each_row_is_changed_once_in_one_pass():
    """What was changed is still due, and is not met again."""
    done = shelf.go(dearer())
    assert prices() == [11] * COUNT
    assert (done.status, done.due, done.changed, done.left) == ("SUCCEEDED", COUNT, COUNT, None)
    run = Run.objects.get(pk=done.run)
    assert (run.cursor, run.exclusive) == (Item.objects.latest("pk").pk, True)
    assert not Lease.objects.exists()


@pytest.mark.parametrize("how", ["STOPPED", "LOST", "FAILED"])
def test_continued_run_goes_on_behind_the_cursor(how):
    """However the one before has ended: a failed one has changed rows as well."""
    moved = dearer()
    if how == "FAILED":

        def fail(_batch):
            raise RuntimeError("no room in the terminal")

        with pytest.raises(RuntimeError):
            shelf.go(moved, watch=fail)
    else:
        shelf.go(moved, **stopping(1))
        Run.objects.update(status=how)
    first = Run.objects.get()
    assert (first.status, first.changed) == (how, 3)
    seen = preview_transition(moved, now=shelf.NOW)
    assert seen.due == 7
    second = shelf.go(moved)
    assert (second.status, second.due, second.changed, second.continues) == (
        "SUCCEEDED",
        7,
        7,
        first.pk,
    )
    assert prices() == [11] * COUNT


def test_stopped_run_says_what_is_left():
    """The rows behind its cursor."""
    done = shelf.go(dearer(), **stopping(2))
    assert (done.status, done.changed, done.left, done.reason) == ("STOPPED", 6, 4, "SIGTERM")


def test_run_that_came_to_no_batch_hands_on_where_it_began():
    """Killed before its first batch, or with nothing left to do."""
    moved = dearer()
    shelf.go(moved, **stopping(1))
    begun = runs.open_run(runs.Job(name="tidy"), Order(), continues=Run.objects.get())
    runs.close(begun, Status.LOST)
    stop = Stop()
    stop.ask("SIGTERM")
    shelf.go(moved, stop=stop)
    assert shelf.go(moved).changed == 7
    assert prices() == [11] * COUNT


def test_run_that_came_to_its_end_is_not_done_again():
    """Not before it was undone; then all of it is."""
    moved = dearer()
    done = shelf.go(moved)
    assert refusal(moved) == (
        f"Refused: run {done.run} has changed each row once, as tidy must; nothing was changed. "
        f"To do it again, put it back first: inv jobs.undo {done.run}"
    )
    assert undo_run(done.run).restored == COUNT
    assert prices() == [10] * COUNT
    again = shelf.go(moved)
    assert (again.changed, again.continues) == (COUNT, None)


def test_run_without_rows_is_none_that_came_to_its_end():
    """The rows of tomorrow are not those of today."""
    moved = dearer(due=lambda _: Item.objects.filter(name="new"))
    assert shelf.go(moved).status == "SUCCEEDED"
    Item.objects.create(name="new", price=10)
    assert shelf.go(moved).changed == 1


def test_chain_is_put_back_as_a_whole_or_not_gone_on_with():
    """A run whose forerunner was put back would leave those rows out, and say nothing."""
    moved = dearer()
    first = shelf.go(moved, **stopping(1))
    second = shelf.go(moved, **stopping(1))
    undo_run(first.run)
    assert refusal(moved) == (
        f"Refused: run {first.run} of tidy is put back, and not all of what belongs to it; nothing "
        f"was changed. Put back the rest first: inv jobs.undo {second.run}"
    )
    undo_run(second.run)
    assert prices() == [10] * COUNT
    assert shelf.go(moved).changed == COUNT


def test_stopped_undo_is_brought_to_its_end_first():
    """Else the rows that are put back would stay so."""
    moved = dearer()
    done = shelf.go(moved, **stopping(3))
    undo_run(done.run, **stopping(1))
    assert refusal(moved) == (
        f"Refused: run {done.run} of tidy is put back, and not all of what belongs to it; nothing "
        f"was changed. Put back the rest first: inv jobs.undo {done.run}"
    )
    undo_run(done.run)
    assert prices() == [10] * COUNT
    assert shelf.go(moved).changed == COUNT


def test_rows_that_failed_are_tried_by_the_next_run():
    """They are before its cursor; the others there are not changed again."""
    bad = list(Item.objects.order_by("pk").values_list("pk", flat=True)[2:8:5])
    broken = set(bad)

    def fill(rows):
        for row in rows:
            if row.pk in broken:
                raise ValueError("not this one")
            row.price += 1

    moved = shelf.job(fill=fill, fields=("price",), once=True)
    first = shelf.go(moved)
    assert (first.status, first.changed, first.failed) == ("FAILED", 8, 2)
    broken.discard(bad[0])
    second = shelf.go(moved)
    assert (second.status, second.due, second.changed, second.failed) == ("FAILED", 2, 1, 1)
    broken.clear()
    third = shelf.go(moved)
    assert (third.status, third.due, third.changed, third.failed) == ("SUCCEEDED", 1, 1, 0)
    assert prices() == [11] * COUNT
    assert "has changed each row once" in refusal(moved)


def test_rows_behind_a_hopeless_end_are_not_taken_for_tried(monkeypatch):
    """The cursor stands on the last row that was tried."""
    monkeypatch.setattr("django_runbook.jobs.batches.rows.failures.MOST_IN_A_ROW", 2)
    network = []

    def fill(rows):
        if not network:
            raise OSError("no network")
        for row in rows:
            row.price += 1

    moved = shelf.job(fill=fill, fields=("price",), once=True)
    first = shelf.go(moved)
    assert (first.status, first.changed, first.failed, first.left) == ("FAILED", 0, 2, COUNT - 2)
    network.append("there")
    second = shelf.go(moved)
    assert (second.status, second.due, second.changed) == ("SUCCEEDED", COUNT, COUNT)
    assert prices() == [11] * COUNT


def test_two_at_once_are_one(monkeypatch):
    """A second run is skipped while the first goes through the rows, inside another's run too."""
    moved = dearer()
    told = []

    def another(_batch):
        if not told:
            with pytest.raises(RefusedError) as refused:
                shelf.go(moved)
            told.append(str(refused.value))

    done = shelf.go(moved, watch=another)
    assert (done.changed, len(told)) == (COUNT, 1)
    assert prices() == [11] * COUNT


def test_lease_is_taken_inside_another_commands_run():
    """The run around it shares the job's rows with others; its rows are not to be shared."""
    moved = dearer()
    outer = runs.open_run(runs.Job(name="tidy"), Order())
    assert outer.exclusive is False
    held = runs.open_run(runs.Job(name="tidy", overlap="skip"), Order())
    order = Order(inside=f"{outer.pk}:{outer.token}")
    with pytest.raises(RefusedError):
        shelf.go(moved, order=order)
    assert prices() == [10] * COUNT
    leases.release(held)


def test_fenced_run_changes_nothing_more():
    """It was taken for lost, another went on: its own next batch is rolled back."""
    moved = dearer()

    def sleep(_batch):
        if Run.objects.count() == 1:
            books.let_time_pass()
            shelf.go(moved)

    with pytest.raises(FailedError, match=r"was taken for lost|has lost its lease"):
        shelf.go(moved, watch=sleep)
    assert prices() == [11] * COUNT


def test_keys_that_are_no_numbers_have_an_order_too():
    """A UUID is kept as text, and gone on behind."""
    for number in range(COUNT):
        Tag.objects.create(name=str(number))
    seen = []

    def fill(rows):
        seen.extend(row.pk for row in rows)
        for row in rows:
            row.name += "!"

    moved = shelf.job(due=lambda _: Tag.objects.all(), fill=fill, fields=("name",), once=True)
    shelf.go(moved, **stopping(2))
    assert shelf.go(moved).changed == 4
    assert seen == sorted(Tag.objects.values_list("pk", flat=True))
    assert {name[1:] for name in Tag.objects.values_list("name", flat=True)} == {"!"}


def test_own_verification_decides():
    """Rows that are still wrong fail the run."""
    cheap = dearer(verify=lambda: Item.objects.filter(price__lt=20))
    done = shelf.go(cheap)
    assert (done.status, done.left) == ("FAILED", COUNT)
    assert done.reason == f"{COUNT} rows are still wrong after the last batch"


def test_workers_are_refused(monkeypatch):
    """Several runs at once cannot go through the same rows once."""
    monkeypatch.setattr(
        "django_runbook.jobs.batches.run_transition.declared_job",
        lambda name: runs.Job(name=name, workers=2),
    )
    with pytest.raises(ConfigError) as wrong:
        shelf.go(dearer())
    assert str(wrong.value) == (
        "tidy: workers = 2 contradicts once: its rows are gone through once, by one run alone."
    )
    assert (prices(), Batch.objects.count()) == ([10] * COUNT, 0)
