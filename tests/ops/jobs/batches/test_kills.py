"""A run that is killed, at any moment, loses nothing and repeats nothing."""

import json

import pytest

from tests.ops.jobs.books import FIVE_DONE
from tests.ops.jobs.victims import start

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]

BACK = {"ACTIVE": 2, "TRIALING": 7}


def sweep(commands, database_url, *argv):
    """Return what each run was killed before, and the facts after the run that followed it."""
    done = start(commands, database_url, "sweep", *argv)
    assert (done.code, done.err) == (0, "")
    *pairs, _ = json.loads(done.out)
    assert pairs[-2] == "the end"
    return list(zip(pairs[::2], pairs[1::2], strict=True))


@pytest.mark.parametrize("overlap", ["share", "skip"])
def test_expiry_killed_between_any_two_statements(commands, database_url, overlap):
    """Killed before any of its statements and commits, a run and the next change each row once.

    The next takes the slot over, with the cutoff of the one that was killed. The database's own
    witness has seen what the ledger tells, and nothing else.
    """
    points = sweep(commands, database_url, "expire", overlap)
    commits = [point for point, _ in points].count("COMMIT")
    assert commits == (
        6 if overlap == "skip" else 5
    )  # the run, 2 batches, the last pass, its end; a lease
    for point, facts in points:
        again = facts.pop("again")
        runs = facts.pop("runs")
        assert facts == {"complaints": [], "statuses": FIVE_DONE, "changes": 5}, point
        if runs == ["SUCCEEDED"] and "taken" in again:  # killed when it had told its end
            assert again == {"taken": "SUCCEEDED"}, point
        elif runs == ["SUCCEEDED"]:  # killed before it was in the ledger
            assert again == {"status": "SUCCEEDED", "left": 0, "continues": False}, point
        else:
            assert runs == ["LOST", "SUCCEEDED"], point
            assert again == {"status": "SUCCEEDED", "left": 0, "continues": True}, point


def test_undo_killed_between_any_two_statements(commands, database_url):
    """Killed before any of its statements and commits, an undo and the next put each row back."""
    points = sweep(commands, database_url, "undo")
    # The run, two batches, its end; and PostgreSQL is told in one how to look for later batches.
    commits = 5 if database_url.startswith("postgres") else 4
    assert [point for point, _ in points].count("COMMIT") == commits
    for point, facts in points:
        assert facts.pop("runs") in (
            ["SUCCEEDED", "SUCCEEDED"],
            ["SUCCEEDED", "LOST", "SUCCEEDED"],
            ["SUCCEEDED", "SUCCEEDED", "SUCCEEDED"],
        )
        assert facts == {
            "again": {"status": "SUCCEEDED", "left": 0},
            "complaints": [],
            "statuses": BACK,
            "changes": 10,
        }, point


def test_killed_at_random_instants(commands, database_url):
    """Killed in the midst of statements, two at a time, the runs change each row once in all."""
    done = start(commands, database_url, "shoot", "30")
    assert (done.code, done.err) == (0, "")
    facts = json.loads(done.out)
    assert facts.pop("killed") > 25
    before, last = facts.pop("before"), facts.pop("last")
    assert before["TRIALING"] > 2  # it was not over before the last was killed
    assert (last["status"], last["left"]) == ("SUCCEEDED", 0)
    statuses = {"ACTIVE": 2, "TRIALING": 2, "TRIAL_EXPIRED": 20_000}
    assert facts == {"complaints": [], "statuses": statuses, "changes": 20_000}
