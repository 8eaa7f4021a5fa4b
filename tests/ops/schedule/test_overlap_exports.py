"""`overlap` is declared once: no scheduler does something else by default."""

import dataclasses

import pytest
import yaml

from django_runbook.config import Job
from django_runbook.schedule import crontab, github, kubernetes, slots, systemd
from tests.ops.schedule.goldens import DAILY, SCHEDULE, WEEKLY
from tests.ops.schedule.workflows import workflow

OVERLAPS = ["share", "skip", "wait"]
SAYS = {
    "share": "A start while another run is under way shares its rows (overlap).",
    "skip": "A start while another run is under way is left out, with exit code 0 (overlap).",
    "wait": "A start while another run is under way waits for its end (overlap).",
}
#: It may take as long as from one slot to the next.
CLOSE = Job(name="expire_trials", cron="7,37 * * * *", timeout_minutes=30)


def declared(job: Job, overlap: str) -> Job:
    """Return the job with this overlap."""
    return dataclasses.replace(job, overlap=overlap)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_cron_and_kubernetes_start_it_and_say_what_comes_of_it(overlap):
    """The ledger knows what is meant; Forbid would leave a start out without a word."""
    job = declared(DAILY, overlap)
    assert f"# {SAYS[overlap]}" in crontab.render(job, SCHEDULE, "/srv").splitlines()
    text = kubernetes.render(job, SCHEDULE)
    assert f"  concurrencyPolicy: Allow # {SAYS[overlap]}" in text.splitlines()
    assert yaml.safe_load(text)["spec"]["concurrencyPolicy"] == "Allow"


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_systemd_sees_afterwards_to_what_came_meanwhile(overlap):
    """It starts no service that runs: a second line does, where a slot can come so soon."""
    lines = systemd.service(declared(CLOSE, overlap), SCHEDULE, "/srv/shop").splitlines()
    command = "/srv/shop/inv jobs.run expire_trials --slot=latest --max-seconds=1800"
    first = lines.index(f"ExecStart={command}")
    assert lines[first + 1 : first + 4] == [
        (
            "# systemd starts nothing while this is running: what has come due by then is seen to "
            "right after."
        ),
        f"# {SAYS[overlap]}",
        f"ExecStart={command}",
    ]
    alone = systemd.service(declared(DAILY, overlap), SCHEDULE, "/srv/shop")
    assert alone.count("ExecStart=") == 1


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_github_queues_what_must_not_overlap(overlap):
    """A run that waits costs nothing there; what shares its rows waits for nobody."""
    found = workflow(declared(DAILY, overlap))["concurrency"]
    queued = {"group": "job expire_trials", "cancel-in-progress": "false", "queue": "max"}
    beside = {
        "group": "job expire_trials, run ${{ github.run_id }}", "cancel-in-progress": "false",
    }  # fmt: skip
    assert found == (beside if overlap == "share" else queued)
    assert github.render(declared(DAILY, overlap), SCHEDULE).count("concurrency:") == 1


def test_shortest_pause():
    """Between any two slots of a year; for ever where there is none, or one."""
    assert slots.shortest_pause(CLOSE).total_seconds() == 1800
    assert slots.shortest_pause(WEEKLY).total_seconds() == 19 * 3600
    assert slots.shortest_pause(Job(name="x")) == slots.NEVER
