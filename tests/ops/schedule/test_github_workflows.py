"""What GitHub reads in the workflows: triggers, limits, privileges, and what it cannot do."""

import json
import re

import pytest
import yaml

from django_runbook.config import ConfigError, Job, Schedule, load
from django_runbook.schedule import github, rendered
from tests.commands import ROOT
from tests.ops.schedule.goldens import DAILY, JOBS, SCHEDULE, WEEKLY
from tests.ops.schedule.workflows import ALL, STATUS, step, workflow


@pytest.mark.parametrize("parsed", ALL, ids=[parsed["name"] for parsed in ALL])
def test_least_privilege(parsed):
    """Only jobs are allowed anything; actions are pinned; no cache; secrets where they are used."""
    assert parsed["permissions"] == {}
    allowed = {name: job["permissions"] for name, job in parsed["jobs"].items()}
    assert allowed == {
        name: {"issues": "write"} if name == "notify" else {"contents": "read"} for name in allowed
    }
    for name, job in parsed["jobs"].items():
        assert int(job["timeout-minutes"]) > 0
        uses = [step for step in job["steps"] if "uses" in step]
        assert [step["uses"].partition("@")[0] for step in uses] == (
            [] if name == "notify" else ["actions/checkout"]
        )
        for step_ in uses:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step_["uses"])
            assert step_["with"] == {"persist-credentials": "false"}
        here = "github.repository == 'example/shop' && github.ref == 'refs/heads/trunk'"
        assert name == "notify" or job["if"] == here
        assert "secrets." not in json.dumps({**job, "steps": []})
    holders = [
        step_.get("name")
        for job in parsed["jobs"].values()
        for step_ in job["steps"]
        if "secrets." in json.dumps(step_)
    ]
    assert holders == (["Status"] if parsed is STATUS else ["Preflight", "Run"])


@pytest.mark.parametrize("parsed", ALL, ids=[parsed["name"] for parsed in ALL])
def test_scripts_hold_no_expression(parsed):
    """What a person typed, and what GitHub knows, comes through the environment alone."""
    scripts = [
        step_["run"] for job in parsed["jobs"].values() for step_ in job["steps"] if "run" in step_
    ]
    assert len(scripts) >= 2
    assert not [script for script in scripts if "${{" in script]


def test_triggers_of_the_daily_job():
    """The declared time, the safety net, and a start by hand that changes nothing by default."""
    on = workflow(DAILY)["on"]
    assert on["schedule"] == [{"cron": "17 4 * * *"}, {"cron": "17 8 * * *"}]
    inputs = on["workflow_dispatch"]["inputs"]
    assert {name: (given["type"], given.get("default")) for name, given in inputs.items()} == {
        "dry-run": ("boolean", "true"),
        "as-of": ("string", None),
        "allow": ("number", None),
        "reason": ("string", None),
    }


def test_triggers_in_a_zone():
    """Each line says the zone; a job that takes no options has none to give."""
    on = workflow(WEEKLY)["on"]
    lines = ["43 3,22 * * 0", "43 7 * * 0", "43 2 * * 1"]
    assert on["schedule"] == [{"cron": line, "timezone": "Europe/Berlin"} for line in lines]
    assert on["workflow_dispatch"] == ""


def test_limits_of_the_daily_job():
    """None is cancelled by another; GitHub ends it later than the command ends itself."""
    parsed = workflow(DAILY)
    assert parsed["concurrency"]["cancel-in-progress"] == "false"
    assert int(parsed["jobs"]["run"]["timeout-minutes"]) * 60 > 900 + 300
    assert parsed["jobs"]["run"]["environment"] == {"name": "live", "deployment": "false"}


def test_variables_of_the_run():
    """Inputs and secrets by name; the heartbeat is for the run alone."""
    parsed = workflow(DAILY)
    assert step(parsed, "run", "Run")["env"] == {
        "DRY_RUN": "${{ inputs.dry-run }}",
        "AS_OF": "${{ inputs.as-of }}",
        "ALLOW": "${{ inputs.allow }}",
        "REASON": "${{ inputs.reason }}",
        "DATABASE_URL": "${{ secrets.DATABASE_URL }}",
        "SECRET_KEY": "${{ secrets.SECRET_KEY }}",
        "EXPIRE_TRIALS_PING": "${{ secrets.EXPIRE_TRIALS_PING }}",
    }
    assert list(step(parsed, "run", "Preflight")["env"]) == ["DATABASE_URL", "SECRET_KEY"]


def test_notify_follows_whatever_came_out():
    """Also a cancelled run; not one that was skipped, and no dry run of a person's."""
    conditions = {job.name: workflow(job)["jobs"]["notify"]["if"] for job in JOBS.values()}
    ran = "always() && needs.run.result != 'skipped'"
    assert conditions == {
        "expire_trials": f"{ran} && !inputs.dry-run",
        "clearsessions": ran,
        "Send_Bills": f"{ran} && !inputs.dry-run",
    }


@pytest.mark.parametrize(
    ("job", "schedule", "message"),
    [
        (
            DAILY,
            Schedule(),
            (
                "tool.django-runbook.schedule.repository is missing; allowed: the only repository "
                "where "
                'schedules run, as in repository = "owner/name".'
            ),
        ),
        (
            Job(name="poll", cron="*/4 * * * *"),
            SCHEDULE,
            (
                "tool.django-runbook.jobs.poll.cron = '*/4 * * * *' is more often than GitHub "
                "starts anything; allowed: 5 minutes apart at least."
            ),
        ),
        (
            Job(name="long", cron="17 4 * * *", timeout_minutes=350),
            SCHEDULE,
            (
                "tool.django-runbook.jobs.long.timeout_minutes = 350 is too long for GitHub, "
                "which ends a job "
                "after 360 minutes; allowed: 349 at most, or a runner of your own."
            ),
        ),
        (
            Job(name="never"),
            SCHEDULE,
            (
                "tool.django-runbook.jobs.never has no cron, and so no schedule; "
                'allowed: five fields, as in cron = "17 4 * * *".'
            ),
        ),
    ],
)
def test_what_github_cannot_do_is_refused(job, schedule, message):
    """One line, with the key and what is allowed."""
    with pytest.raises(ConfigError) as error:
        github.render(job, schedule)
    assert str(error.value) == message


def test_names_that_yaml_would_change():
    """A job may be called as a word that YAML has a meaning for."""
    parsed = yaml.safe_load(github.render(Job(name="no", cron="17 4 * * *"), SCHEDULE))
    assert parsed["name"] == "no"


def test_workflows_of_this_repository():
    """They are what pyproject.toml says: `inv schedule.render` writes them."""
    config = load(ROOT)
    wanted = {
        github.file_name(job.name): github.render(job, config.schedule)
        for job in config.jobs.values()
        if job.cron
    } | {github.file_name(github.STATUS_NAME): github.render_status(config.schedule)}
    found = {file: (ROOT / file).read_text("utf-8") for file in wanted}
    states = {verdict.file: verdict.state for verdict in rendered.compare(found, wanted)}
    assert states == dict.fromkeys(wanted, rendered.State.CURRENT)
