"""The linter of schedules: each finding, on its line."""

import pytest

from django_runbook.config import Config, Job, Schedule
from django_runbook.schedule import github
from django_runbook.schedule.lint import lint
from tests.commands import ROOT
from tests.ops.schedule.goldens import DAILY, JOBS, SCHEDULE

GOOD = """\
on:
  schedule:
    - cron: "17 4 * * *"
  workflow_dispatch:
concurrency: nightly
jobs:
  run:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - run: ./inv jobs.run expire_trials --slot=latest
  call:
    uses: ./.github/workflows/other.yml
"""
PYPROJECT = (
    '[tool.django-runbook]\n\n[tool.django-runbook.jobs.expire_trials]\ncron = "17 4 * * *"\n'
)


def config(*jobs, schedule=SCHEDULE):
    """Return a configuration with these jobs."""
    named = {job.name: job for job in jobs}
    return Config(
        root=ROOT,
        manage=ROOT / "backend/manage.py",
        protected=frozenset(),
        jobs=named,
        schedule=schedule,
    )


def found(text, *jobs, schedule=SCHEDULE):
    """Return the findings in one workflow, as lines."""
    return [*map(str, lint({"n.yml": text}, config(*jobs, schedule=schedule), PYPROJECT))]


def test_nothing_to_find():
    """A good workflow; others, which no clock starts, may be as they like."""
    assert found(GOOD, DAILY) == []
    for text in ("", "on: push\n", "on: [push, pull_request]\n", "on:\n  push:\njobs: {a: {}}\n"):
        assert found(text) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            '"17 4',
            '"0 4',
            "n.yml:3: top-of-the-hour '0 4 * * *' starts at minute 0, when GitHub is busiest; ",
        ),
        (
            '"17 4',
            '"*/15 4',
            "n.yml:3: top-of-the-hour '*/15 4 * * *' starts at minute 0, when GitHub is busiest; ",
        ),
        ('"17 4', '"67 4', "n.yml:3: bad-cron '67 4 * * *' is no cron expression"),
        ('"17 4', '"0 17 4', "n.yml:3: bad-cron '0 17 4 * * *' is no cron expression"),
        (
            "concurrency: nightly\n",
            "",
            "n.yml:2: no-concurrency two may run at once; add concurrency",
        ),
        (
            "    timeout-minutes: 5\n",
            "",
            "n.yml:7: no-timeout the job 'run' may hang for six hours; add timeout-minutes",
        ),
        (
            "  workflow_dispatch:\n",
            "",
            "n.yml:2: no-dispatch nobody can start it by hand; add workflow_dispatch",
        ),
        (
            "jobs.run expire_trials",
            "jobs.run expire_trials_2",
            "pyproject.toml:3: no-workflow the job 'expire_trials' has no workflow; run 'inv ",
        ),
        (
            "      - run:",
            "      - runs:",
            "pyproject.toml:3: no-workflow the job 'expire_trials' has ",
        ),
        ("concurrency: nightly", "concurrency: [", "n.yml:7: not-yaml expected ',' or ']', but "),
    ],
)
def test_each_finding(old, new, line):
    """Where it is, which it is, and what to do."""
    assert old in GOOD
    first = found(GOOD.replace(old, new), DAILY)[0]
    assert first.startswith(line)


def test_concurrency_may_stand_at_each_job():
    """It need not be the whole workflow's."""
    text = GOOD.replace("concurrency: nightly\n", "").replace(
        "    runs-on", "    concurrency: a\n    runs-on"
    )
    assert found(text.replace("  call:\n", "  call:\n    concurrency: b\n")) == []
    assert len(found(text)) == 1


def test_jobs_that_run_elsewhere():
    """A job without a time needs no workflow; none does where no repository is named."""
    assert found("on: push\n", Job(name="expire_trials")) == []
    assert found("on: push\n", DAILY, schedule=Schedule()) == []
    assert len(found("on: push\n", DAILY)) == 1


def test_workflow_that_no_clock_starts_does_not_count():
    """A job that only a person can start is not scheduled."""
    by_hand = GOOD.replace('  schedule:\n    - cron: "17 4 * * *"\n', "")
    assert [line.split()[1] for line in found(by_hand, DAILY)] == ["no-workflow"]


def test_rendered_workflows_pass():
    """What the kit writes has no finding."""
    files = {f"{job.name}.yml": github.render(job, SCHEDULE) for job in JOBS.values()}
    files["jobs-status.yml"] = github.render_status(SCHEDULE)
    assert lint(files, config(*JOBS.values()), "") == []
