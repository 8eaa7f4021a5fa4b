"""A backfill that is killed, at any moment, changes each row once, and can be put back."""

import json

import pytest

from tests.ops.jobs.backfills import start

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]


@pytest.mark.parametrize("way", ["expression", "fill", "once"])
def test_killed_between_any_two_statements(commands, database_url, way):
    """The next run does the rest and no row twice; the ledger has what each was, for the undo.

    Also where a row that was changed stays due: its place stands in the ledger with the batch.
    """
    done = start(commands, database_url, way)
    assert (done.code, done.err) == (0, "")
    *pairs, _ = json.loads(done.out)
    assert pairs[-2] == "the end"
    points = list(zip(pairs[::2], pairs[1::2], strict=True))
    assert [point for point, _ in points].count("COMMIT") > 3
    for point, facts in points:
        again = facts.pop("again")
        over = way == "once" and again == {"refused": True}  # killed when all was done and closed
        assert over or again == {"status": "SUCCEEDED"}, point
        assert facts == {"told": [], "right": True, "put back": True}, point
