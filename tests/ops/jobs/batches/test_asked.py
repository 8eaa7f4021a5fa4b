"""A run whose end is asked for, at any moment, is closed as stopped, with the books balanced."""

import json
import os
import sys

import pytest

from tests.commands import ROOT
from tests.ops.jobs import asked
from tests.ops.jobs.books import FIVE_DONE

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]

DONE = {"status": "SUCCEEDED", "left": 0}
BACK = {"ACTIVE": 2, "TRIALING": 7}


def sweep(commands, url, *argv):
    """Return before what each run was asked, how it came out, and the facts after the next."""
    done = commands.run(
        sys.executable,
        asked.__file__,
        *argv,
        DATABASE_URL=url,
        DJANGO_SETTINGS_MODULE="project.settings",
        PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'backend'}",
    )
    assert (done.code, done.err) == (0, "")
    *points, end = json.loads(done.out)
    assert (points[-3], end) == ("the end", 0)
    return [points[at : at + 3] for at in range(0, len(points), 3)]


@pytest.mark.parametrize("overlap", ["share", "skip"])
def test_expiry_asked_before_any_statement(commands, database_url, overlap):
    """It is STOPPED, or had come to its end; the next has its slot, and does the rest once."""
    points = sweep(commands, database_url, "expire", overlap)
    assert {said for _, said, _ in points} == {"STOPPED", "SUCCEEDED"}
    for point, said, facts in points:
        again, ledger, reason = (facts.pop(name) for name in ("again", "ledger", "reason"))
        if said == "STOPPED":
            assert (ledger, reason, again) == ("STOPPED", "SIGTERM", DONE), point
        else:
            assert (ledger, again) == ("SUCCEEDED", {"taken": "SUCCEEDED"}), point
        assert facts == {
            "goes on": said == "STOPPED",
            "leases": 0,
            "torn": [],
            "complaints": [],
            "statuses": FIVE_DONE,
            "changes": 5,
        }, point


def test_undo_asked_before_any_statement(commands, database_url):
    """It is STOPPED, or had come to its end; another puts back what is left."""
    points = sweep(commands, database_url, "undo", "share")
    assert {said for _, said, _ in points} == {"STOPPED", "SUCCEEDED"}
    for point, said, facts in points:
        again, ledger, reason = (facts.pop(name) for name in ("again", "ledger", "reason"))
        assert again == DONE, point
        assert ledger == ("STOPPED" if said == "STOPPED" else "SUCCEEDED"), point
        assert reason == ("SIGTERM" if said == "STOPPED" else ""), point
        assert facts == {
            "goes on": False,
            "leases": 0,
            "torn": [],
            "complaints": [],
            "statuses": BACK,
            "changes": 10,
        }, point
