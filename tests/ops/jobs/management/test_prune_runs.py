"""`prune_runs` says what goes and what stays, and asks where that is not declared."""

import dataclasses
import json
import shutil
import sys

import pytest
from django.core.management import CommandError

from django_runbook.config import of_settings
from django_runbook.jobs.management.commands import prune_runs
from django_runbook.jobs.models import Batch, Run
from tests.commands import ROOT
from tests.ops.jobs.management.printed import DAY, SLOT, failed, run
from tests.ops.jobs.past_runs import ran

HALF = (
    "Run {0} stays, and what came later to its rows, until its undo has come to its end: "
    "inv jobs.undo {0}"
)
OLD = SLOT - 400 * DAY  # by the database's clock as well


@pytest.fixture
def keep(monkeypatch):
    """Return what declares how long runs are kept."""

    def declared(days):
        config = dataclasses.replace(of_settings(), keep_days=days)
        monkeypatch.setattr(prune_runs, "of_settings", lambda: config)

    return declared


@pytest.fixture
def old(empty):
    """Return old runs: one that goes, one that is half undone, its undo, and ten that stay."""
    goes = ran(started=OLD)
    half = ran(started=OLD, changed=2, batches=1, model="accounts.account")
    Batch.objects.create(run=half, number=1, changed=2, ids=[1, 2])
    undo = ran("STOPPED", OLD + DAY, undoes=half, model="accounts.account")
    nights = [ran(started=OLD + number * DAY, due=5) for number in range(4, 14)]
    return [run.pk for run in (goes, half, undo, *nights)]


def test_what_goes_and_what_stays_is_said(old, keep):
    """With the command that lets the rest go."""
    keep(30)
    out = run("prune_runs")
    first, *rest = out.splitlines()
    number = Run.objects.get(job="prune_runs").pk
    assert first.startswith("Removed 1 run(s) that ended before 2")
    assert first.endswith(f"Z, and 0 batch(es) and failed row(s); this is run {number}.")
    assert rest == [
        "10 as old stay, without batches: jobs are judged by them.",
        HALF.format(old[1]),
    ]
    assert sorted(Run.objects.values_list("pk", flat=True)) == [*old[1:], number]


def test_dry_run_says_the_same_and_removes_nothing(old, keep):
    """In words and as JSON; no run is written."""
    keep(30)
    out = run("prune_runs", "--dry-run")
    assert out.startswith("Would remove 1 run(s) that ended before 2")
    assert out.splitlines()[1:] == [
        "10 as old stay, without batches: jobs are judged by them.",
        HALF.format(old[1]),
    ]
    shown = json.loads(run("prune_runs", "--dry-run", "--json", "--keep-days=9999"))
    assert shown.pop("before") < "2000"
    assert shown == {
        "dry_run": True,
        "keep_days": 9999,
        "due": 0,
        "needed": 0,
        "half_undone": [],
    }
    assert Run.objects.count() == 13


def test_result_as_json_is_one_object(old, keep):
    """Counts, status, and what stays."""
    keep(30)
    shown = json.loads(run("prune_runs", "--json"))
    assert (shown.pop("seconds") >= 0, shown.pop("before") > "2026") == (True, True)
    assert shown == {
        "keep_days": 30,
        "run": Run.objects.get(job="prune_runs").pk,
        "status": "SUCCEEDED",
        "due": 1,
        "removed": 1,
        "batches": 0,
        "needed": 10,
        "half_undone": [old[1]],
        "reason": "",
        "warnings": [],
    }


def test_somebody_must_say_how_long(old, keep):
    """Neither the option nor the key: wrong usage, and nothing is removed."""
    keep(None)
    assert failed("prune_runs") == (
        2,
        (
            "Say how long runs are kept: --keep-days N, or keep_days = N under "
            "[tool.django-runbook.jobs] of pyproject.toml."
        ),
        "",
    )
    assert Run.objects.count() == 13


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "x", "36526"])
def test_days_are_whole(old, keep, days):
    """Anything else is wrong usage."""
    keep(30)
    with pytest.raises(CommandError, match=f"'{days}' is not a whole number from 1 to 36525"):
        run("prune_runs", f"--keep-days={days}")


def test_batches_are_shown(old, keep):
    """A line for each at -v 2."""
    keep(30)
    assert run("prune_runs", "--verbosity=2").startswith("batch 1: 1 row(s) in ")


SHOP = """\
[tool.django-runbook]
manage = "backend/manage.py"
[tool.django-runbook.jobs]
keep_days = 30
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("days", "asked"), [((), False), (("--keep-days=40",), False), (("--keep-days=29",), True)]
)
def test_protected_target_is_asked_for_less_than_is_declared(
    commands, database_url, tmp_path, days, asked
):
    """What is declared runs by night; less, typed by hand, destroys what others count on."""
    (tmp_path / "pyproject.toml").write_text(SHOP)
    shutil.copytree(ROOT / "backend", tmp_path / "backend")
    env = {
        "DATABASE_URL": database_url,
        "ENVIRONMENT": "production",
        "DEBUG": "false",
        "SECRET_KEY": "x" * 60,
        "ALLOWED_HOSTS": "localhost",
    }
    done = commands.run(
        sys.executable, tmp_path / "backend/manage.py", "prune_runs", *days, cwd=tmp_path, **env
    )
    assert (done.code, "is protected" in done.err) == ((3, True) if asked else (0, False)), done
    if not asked:
        assert done.out.startswith("Removed 0 run(s) that ended before ")
