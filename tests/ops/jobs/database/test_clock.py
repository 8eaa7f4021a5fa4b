"""A machine whose clock is not the database's changes nothing, whichever way it comes."""

import datetime
import re
from types import SimpleNamespace

import pytest
from django.utils import timezone

from accounts.services import expire_trials
from django_runbook.jobs.batches.undo.undo_run import undo_run
from django_runbook.jobs.database import clock
from django_runbook.jobs.database.clock import database_now, require_clock
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.models import Run, Slot
from tests.ops.jobs import books

pytestmark = pytest.mark.engines("sqlite", "postgresql")

MINUTE = datetime.timedelta(minutes=1)
SAID = (
    r"Refused: the clock says [\d-]+T[\d:]+Z, {apart} the database's; nothing was changed. "
    r"Set this machine's clock first."
)
#: Started by Python before anything else, where its folder is in PYTHONPATH.
FALSE = """
import datetime

import time_machine

at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days={days})
time_machine.travel(at, tick=True).start()
"""


@pytest.fixture
def strict(monkeypatch):
    """Let the clocks be a minute apart at the most, as in a process of its own."""
    monkeypatch.setattr(clock, "MOST_SKEW", MINUTE)


@pytest.fixture
def false_clock(tmp_path):
    """Return what lets Python begin with a clock that is so many days ahead."""

    def path(days: float) -> str:
        (tmp_path / "sitecustomize.py").write_text(FALSE.format(days=days))
        return str(tmp_path)

    return path


@pytest.mark.parametrize(
    ("apart", "said"),
    [(90, "0:01:30 ahead of"), (-90, "0:01:30 behind"), (86_400 * 40, "40 days, 0:00:00 ahead of")],
)
def test_more_than_a_minute_is_refused(strict, db, apart, said):
    """Ahead or behind, in one line that says how far; less is let pass, and told."""
    now = database_now() + datetime.timedelta(seconds=apart)
    with pytest.raises(RefusedError) as refused:
        require_clock(now)
    assert re.fullmatch(SAID.format(apart=said), str(refused.value))
    near = require_clock(database_now() + MINUTE / 2)
    assert abs(near - MINUTE / 2) < MINUTE / 6


def test_time_that_the_database_took_is_no_skew(strict, db, monkeypatch):
    """A minute of waiting for a connection or a lock must not look like a clock that is behind."""
    ticks = iter([0.0, 300.0])
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    now = database_now() - 4 * MINUTE
    assert require_clock(now) < -3 * MINUTE


def test_service_refuses_a_time_that_is_not_the_databases(strict, five):
    """A program's own mistake too: nothing changes, and nothing is in the ledger."""
    ahead = timezone.now() + 40 * books.DAY
    with pytest.raises(RefusedError, match="40 days, 0:00:00 ahead of the database's"):
        expire_trials(now=ahead)
    assert not Run.objects.exists()
    assert books.facts()["changes"] == 0


def test_time_that_is_meant_is_said_as_of(strict, five):
    """Whoever wants another time says so; and an undo compares no times."""
    now = timezone.now()
    done = expire_trials(now=now, as_of=books.NOW)
    assert (done.status, done.expired) == ("SUCCEEDED", 5)
    assert undo_run(done.run).restored == 5


@pytest.mark.slow
@pytest.mark.parametrize("days", [40, -40])
@pytest.mark.parametrize(
    "argv",
    [
        ("expire_trials",),
        ("expire_trials", "--as-of", "2026-03-01T04:00Z"),
        ("run_job", "expire_trials"),
        ("run_job", "expire_trials", "--slot", "latest"),
        ("run_job", "clearsessions"),
    ],
    ids=" ".join,
)
def test_process_with_a_false_clock(commands, shared_url, false_clock, argv, days):
    """Every command that starts a job ends with exit code 3 and one line; no slot is claimed.

    Without it a clock 40 days ahead ended trials 31 days early.
    """
    books.stage(5, now=timezone.now())
    env = {"DATABASE_URL": shared_url, "PYTHONPATH": false_clock(days)}
    done = commands.manage(*argv, **env)
    way = "ahead of" if days > 0 else "behind"
    apart = rf"(?:40 days, 0:00:0|39 days, 23:59:5)\d {way}"
    assert re.fullmatch(f"CommandError: {SAID.format(apart=apart)}\n", done.err), done
    assert done.code == 3
    assert not Run.objects.exists()
    assert not Slot.objects.exists()
    assert books.facts() == {
        "complaints": [],
        "statuses": {"ACTIVE": 2, "TRIALING": 7},
        "changes": 0,
    }


@pytest.mark.slow
def test_dry_run_with_a_false_clock(commands, shared_url, false_clock):
    """It changes nothing, and shows what would be due then."""
    books.stage(5, now=timezone.now())
    env = {"DATABASE_URL": shared_url, "PYTHONPATH": false_clock(40)}
    done = commands.manage("expire_trials", "--dry-run", **env)
    assert (done.code, done.err) == (0, "")
    assert "Would expire 7 trial(s)" in done.out
