"""The command of a transition: which one is all that a project says."""

import json
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db.models.functions import Upper

from django_runbook.jobs import TransitionCommand
from django_runbook.jobs.models import Run
from tests.ops.jobs import shelf
from tests.ops.jobs.shelf import NOW, Item

pytestmark = [pytest.mark.usefixtures("shelf"), pytest.mark.engines("sqlite", "postgresql")]

COUNT = 12


def due(_cutoff):
    """Return the items with small names."""
    return Item.objects.filter(name__regex="^item")


def bad(rows):
    """Refuse the second item."""
    for row in rows:
        if row.name == "item 1":
            raise ValueError("not\nthis one")
        row.name = row.name.upper()


@pytest.fixture
def run():
    """Return what runs the command of a job with these options at NOW, and gives what it prints."""
    for number in range(COUNT):
        Item.objects.create(name=f"item {number}")

    def call(*argv, **values):
        class Command(TransitionCommand):
            transition = shelf.job(due=due, **(values or {"to": {"name": Upper("name")}}))

        out, err = StringIO(), StringIO()
        with time_machine.travel(NOW, tick=False):
            call_command(Command(stdout=out, stderr=err), *argv)
        assert err.getvalue() == ""
        return out.getvalue()

    return call


def failed(run, *argv, **values):
    """Return the exit code and the line of a command that fails."""
    with pytest.raises(CommandError) as failure:
        run(*argv, **values)
    return failure.value.returncode, str(failure.value)


def test_run_says_how_many_were_changed(run):
    """With the name of the model."""
    assert run() == "Changed 12 item(s)\n"
    assert run() == "Changed 0 item(s)\n"


def test_dry_run_shows_ten_rows_before_and_after(run):
    """As the database would have them; and it changes nothing, and leaves no run."""
    lines = run("--dry-run").splitlines()
    first = Item.objects.order_by("pk")[0].pk
    assert lines[:4] == [
        "Would change 12 item(s) that are due at 2026-03-01T04:17:00+00:00",
        "The first 10:",
        f'{first}: name "item 0" -> "ITEM 0"',
        f'{first + 1}: name "item 1" -> "ITEM 1"',
    ]
    assert len(lines) == 12
    assert (due(None).count(), Run.objects.count()) == (COUNT, 0)


def test_dry_run_as_json(run):
    """One object, with the rows as the ledger would keep them."""
    shown = json.loads(run("--dry-run", "--json"))
    first = Item.objects.order_by("pk")[0].pk
    examples = shown.pop("examples")
    assert shown == {
        "as_of": "2026-03-01T04:17:00+00:00",
        "cutoff": "2026-03-01T04:17:00+00:00",
        "due": 12,
        "limit": "",
        "note": "",
        "unseen": "",
        "dry_run": True,
    }
    assert examples[0] == {"pk": first, "before": {"name": "item 0"}, "after": {"name": "ITEM 0"}}
    assert len(examples) == 10


def test_dry_run_of_a_function(run):
    """It is run, in a transaction that is rolled back."""
    lines = run(
        "--dry-run", fill=lambda rows: [setattr(r, "sold", 5) for r in rows], fields=("sold",)
    )
    assert lines.splitlines()[2].endswith(": sold 0 -> 5")
    assert Item.objects.filter(sold=5).count() == 0
    assert run("--dry-run", fill=bad, fields=("name",)).splitlines()[1:] == [
        "Nothing to show: ValueError: not."
    ]


def test_dry_run_runs_no_code_that_may_have_effects_elsewhere(run):
    """It says so instead."""
    called = []
    assert run("--dry-run", each=called.append, fields=("name",)).splitlines()[1:] == [
        "Nothing to show: each row is handed to the job's own code, which is not run for a look."
    ]
    assert called == []


def test_result_as_json(run):
    """The outcome, in one object."""
    shown = json.loads(run("--json"))
    assert shown.pop("seconds") < 10
    assert shown == {
        "run": Run.objects.get().pk,
        "status": "SUCCEEDED",
        "as_of": "2026-03-01T04:17:00+00:00",
        "cutoff": "2026-03-01T04:17:00+00:00",
        "due": 12,
        "changed": 12,
        "failed": 0,
        "batches": 4,
        "left": 0,
        "reason": "",
        "continues": None,
        "warnings": [],
    }


def test_bad_rows_fail_the_command_and_can_be_asked_for(run):
    """Exit code 1, with where they are listed; the list has their keys and errors."""
    code, line = failed(run, fill=bad, fields=("name",))
    pk = Run.objects.get().pk
    assert (code, line) == (
        1,
        f"Failed: 1 row(s) could not be changed. See 'inv jobs.show {pk} --failed'.",
    )
    out = StringIO()
    call_command("show_run", str(pk), "--failed", stdout=out)
    key = Item.objects.get(name="item 1").pk
    assert out.getvalue() == f"{key}  ValueError: not\n"
    out = StringIO()
    call_command("show_run", str(pk), "--failed", "--json", stdout=out)
    shown = json.loads(out.getvalue())
    assert shown["rows"][0].pop("at").startswith("20")
    assert shown == {"failed": 1, "rows": [{"key": key, "error": "ValueError: not"}]}
    out = StringIO()
    call_command("show_run", str(pk), stdout=out)
    lines = out.getvalue().splitlines()
    assert "change      users.item: name row by row" in lines
    assert "failed      1 row(s) could not be changed" in lines
    assert f"next        inv jobs.show {pk} --failed" in lines


def test_list_of_failed_rows_says_what_it_leaves_out(run, monkeypatch):
    """And what a run without any has."""
    monkeypatch.setattr("django_runbook.jobs.batches.rows.failures.MOST_LISTED", 1)

    def all_bad(_rows):
        raise ValueError("no")

    failed(run, fill=all_bad, fields=("name",))
    pk = Run.objects.get().pk
    out = StringIO()
    call_command("show_run", str(pk), "--failed", stdout=out)
    assert out.getvalue().splitlines()[1:] == ["and 11 more, which the ledger does not list"]
    run()
    out = StringIO()
    call_command("show_run", str(Run.objects.latest("pk").pk), "--failed", stdout=out)
    assert out.getvalue() == f"Run {pk + 1} had no row that it could not change.\n"


def test_time_of_its_own(run):
    """Of the past it is done, of the future it is refused, unless nothing is done."""
    assert run("--as-of=2026-02-01T00:00Z") == "Changed 12 item(s)\n"
    assert failed(run, "--as-of=2026-03-02T00:00Z") == (
        3,
        (
            "2026-03-02T00:00:00+00:00 is in the future: nothing was changed. "
            "Add --dry-run to see what would be due then."
        ),
    )
    assert "due at 2026-03-02" in run("--dry-run", "--as-of=2026-03-02T00:00Z")


def test_job_that_goes_through_its_rows_once_says_so(run):
    """A second run is refused, and so is the look at it."""
    once = {"to": {"name": Upper("name")}, "once": True}
    assert run(**once) == "Changed 12 item(s)\n"
    for argv in ((), ("--dry-run",)):
        code, line = failed(run, *argv, **once)
        assert code == 3
        assert line.endswith(f"put it back first: inv jobs.undo {Run.objects.get().pk}")


def test_wrong_job_is_said_in_one_line(run):
    """Exit code 1, before anything is looked at."""
    assert failed(run, to={"nam": "x"}) == (1, "tidy: Item has no field named 'nam'.")
