"""A command that removes or rebuilds the ledger under its own run: never killed for it."""

import re
import sys
from datetime import UTC, datetime

import pytest
from django.db import connection

from django_runbook.config import Job
from django_runbook.jobs.ledger import leases, runs
from django_runbook.jobs.ledger.recording.rebuilt import Standing, beat, is_there, write_again
from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Lease, Run, Slot, Status
from django_runbook.jobs.wrapped import pulse
from tests.commands import ROOT
from tests.ops.jobs.wrapped.conftest import NIGHTS

SLOT = datetime(2026, 3, 1, 4, 17, tzinfo=UTC)
ODD = Job(name="odd", overlap="skip")


@pytest.fixture
def odd(run, shared_url, commands, monkeypatch):
    """Return what runs an odd command for a slot, while the heart beats without a pause."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.1)
    for name, value in {**commands.env(), **NIGHTS, "DATABASE_URL": shared_url}.items():
        monkeypatch.setenv(name, value)
    line = [sys.executable, str(ROOT / "backend/manage.py"), "odd"]
    body = f"import os, sys; os.execv({line[0]!r}, [*{line!r}, *sys.argv[1:]])"

    def ran(*words):
        order = Order(slot=SLOT, allow=7, reason="every night", arguments=words)
        return run(body, *words, job=ODD, order=order, max_seconds=120)

    return ran


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("words", [("flush",), ("remake", "0"), ("remake", "1")])
def test_run_is_in_the_ledger_that_was_rebuilt(odd, words):
    """Emptied, or dropped and migrated anew: the run is there as it was, and ended as it ended."""
    Run.objects.create(job="other", status=Status.SUCCEEDED)  # so that the number must change
    Run.objects.all().delete()
    first = Run.objects.create(job="other", status=Status.SUCCEEDED)
    result = odd(*words)
    assert (result.status, result.code, result.reason) == ("SUCCEEDED", 0, "")
    row = Run.objects.get(job="odd")
    assert (row.pk, row.status, row.slot) == (result.run, "SUCCEEDED", SLOT)
    assert (row.allow, row.allow_reason, row.arguments) == (7, "every night", list(words))
    assert (row.exclusive, row.finished is not None) == (True, True)
    assert [(slot.at, slot.run) for slot in Slot.objects.all()] == [(SLOT, row)]
    assert not Lease.objects.exists()
    if result.run != first.pk + 1:
        said = f"odd removed run {first.pk + 1} from the ledger; it was written again, as run "
        assert result.warnings == (f"{said}{result.run}.",)
    assert not Run.objects.exclude(pk=row.pk).exists()


@pytest.mark.slow
@pytest.mark.django_db
def test_run_that_could_not_be_written_again_is_told(odd):
    """The tables are gone for good: the command's own code, and one true line."""
    result = odd("unmake")
    missing = {
        "sqlite": "no such table: runbook_jobs_run",
        "postgresql": 'relation "runbook_jobs_run" does not exist',
    }[connection.vendor]
    assert (result.status, result.code) == ("SUCCEEDED", 0)
    assert result.warnings == (f"Run 1 could not be closed: {missing}.",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("flush", ("--no-input",)),
        ("migrate", ("runbook_jobs", "zero", "--verbosity=0")),
        ("reset_db", ("--noinput", "--close-sessions")),
        ("reset_db", ("--noinput", "--close-sessions", "--migrate")),
    ],
)
def test_command_of_somebody_else_ends_as_it_ends(commands, database_url, job, words):
    """Rows, tables, or the whole database: 0, and the run in the ledger wherever there is one."""
    done = commands.manage("run_job", job, "--", *words, DATABASE_URL=database_url)
    assert done.code == 0, done
    said = done.err.splitlines()
    assert re.fullmatch(rf"Run 1 of {job}: succeeded after [\d.]+ s", said[-1]) or "flush" in job
    kept = commands.manage("job_history", "--json", DATABASE_URL=database_url)
    if words[-1] in ("--no-input", "--migrate"):
        assert '"status": "SUCCEEDED"' in kept.out
    else:
        assert re.match("Run 1 could not be closed: ", said[-2])


@pytest.fixture
def lone(db):
    """Open a run that runs alone, for a slot."""
    return runs.open_run(ODD, Order(slot=SLOT, allow=3, reason="why"))


@pytest.mark.django_db
class TestStanding:
    """How a run stands in a ledger, by its random token."""

    def test_row_that_is_there_is_ours(self, lone):
        """It beats."""
        assert beat(lone) is Standing.OURS

    @pytest.mark.parametrize("status", [Status.LOST, Status.STOPPED])
    def test_row_that_was_ended_is_taken(self, lone, status):
        """Somebody has said that this run is over."""
        Run.objects.update(status=status)
        assert beat(lone) is Standing.TAKEN

    def test_lease_of_another_is_taken(self, lone):
        """Another run holds what only one may."""
        Lease.objects.update(token=Run(job="odd").token)
        assert beat(lone) is Standing.TAKEN

    def test_row_that_is_not_there_is_gone(self, lone):
        """Nobody has taken it: it was removed."""
        Run.objects.all().delete()
        assert beat(lone) is Standing.GONE

    def test_number_of_another_is_not_ours(self, lone):
        """A ledger that was rebuilt counts from one again."""
        Run.objects.all().delete()
        other = Run.objects.create(pk=lone.pk, job="other")
        assert beat(lone) is Standing.GONE
        assert runs.close(lone, Status.SUCCEEDED) is False
        other.refresh_from_db()
        assert other.status == Status.RUNNING

    def test_is_written_again_with_slot_and_lease(self, lone):
        """As it was, under another number where its own is another's."""
        Run.objects.all().delete()
        other = Run.objects.create(pk=lone.pk, job="other")
        token, started = lone.token, lone.started
        write_again(lone)
        again = Run.objects.get(token=token)
        assert again.pk == lone.pk != other.pk
        kept = (again.job, again.slot, again.started, again.allow, again.allow_reason)
        assert kept == ("odd", SLOT, started, 3, "why")
        assert Slot.objects.get().run == again
        assert beat(lone) is Standing.OURS
        assert is_there(lone)

    def test_leaves_slot_and_lease_of_another(self, lone):
        """Who began in the rebuilt ledger keeps both; this one ends in its own time."""
        Run.objects.all().delete()
        Slot.objects.all().delete()
        other = runs.open_run(ODD, Order(slot=SLOT))
        write_again(lone)
        assert (Slot.objects.get().run, Lease.objects.get().run) == (other, other)
        assert beat(lone) is Standing.OURS
        leases.release(lone)
        assert Lease.objects.get().run == other
