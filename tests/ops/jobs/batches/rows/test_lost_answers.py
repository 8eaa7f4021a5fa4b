"""A connection that breaks at a COMMIT: the batch is there, though nobody was told so."""

import pytest
from django.db import OperationalError, connection
from django.db.models import F

from django_runbook.jobs.models import Batch
from tests.ops.jobs import shelf
from tests.ops.jobs.shelf import Item

pytestmark = [pytest.mark.usefixtures("committed_shelf"), pytest.mark.engines("postgresql")]

COUNT = 10


def counts():
    """Return how often each item was sold."""
    return set(Item.objects.values_list("sold", flat=True))


@pytest.fixture
def lost():
    """Let the answer of the first COMMIT of a batch that is due be lost; yield what was lost."""
    wanted, seen = [], []
    commit = connection._commit

    def lose():
        if wanted and Batch.objects.count() == wanted[0]:
            seen.append(wanted.pop())
            connection.connection.commit()
            connection.close()
            raise OperationalError("the server closed the connection unexpectedly")
        commit()

    with pytest.MonkeyPatch.context() as patch:  # undone before another connection is the default
        patch.setattr(connection, "_commit", lose)
        yield wanted, seen


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_batch_that_is_there_is_not_done_again(lost, batch):
    """By the cursor, which stands in the ledger with it."""
    for _ in range(COUNT):
        Item.objects.create()
    lost[0].append(batch)
    done = shelf.go(shelf.job(to={"sold": F("sold") + 1}, once=True))
    assert (done.status, done.changed, done.batches, lost[1]) == ("SUCCEEDED", COUNT, 4, [batch])
    assert counts() == {1}


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_nor_are_rows_that_are_tried_again(lost, batch):
    """They have no cursor: the batch says which they were."""
    for _ in range(COUNT):
        Item.objects.create()
    network = []

    def fill(rows):
        if not network:
            raise OSError("no network")
        for row in rows:
            row.sold += 1

    moved = shelf.job(fill=fill, fields=("sold",), once=True)
    assert shelf.go(moved).failed == COUNT
    network.append("there")
    lost[0].append(batch)
    done = shelf.go(moved)
    assert (done.status, done.changed, done.batches, lost[1]) == ("SUCCEEDED", COUNT, 4, [batch])
    assert counts() == {1}
