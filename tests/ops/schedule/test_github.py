"""The workflows: what GitHub reads in them, and what their scripts do with the worst of inputs."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
import yaml

from django_runbook.config import ConfigError, Job, Schedule, load
from django_runbook.schedule import github, rendered
from tests.commands import ROOT, write_program
from tests.ops.schedule.goldens import DAILY, JOBS, MIXED, SCHEDULE, WEEKLY

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]  # GitHub's, for `shell: bash`
WORST = "\"'`$(touch broken)${HOME};|&\n--slot=x % * \\ é"
#: Writes down how it was called, one word a file, and its process.
INV = """\
#!/bin/sh
n=0
for word; do n=$((n+1)); printf '%s' "$word" > "$TOLD/$n"; done
echo $$ > "$TOLD/pid"
echo '{"status": "SUCCEEDED"}'
"""
#: Writes its words down, one call a line; what it lists comes from the environment.
GH = """\
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["issue", "list"]:
    title = os.environ["TITLE"]
    for issue in json.loads(os.environ["ISSUES"]):
        if issue["title"] == title and issue["author"]["is_bot"]:
            print(issue["number"])
            break
"""


def workflow(job, schedule=SCHEDULE):
    """Return a workflow as GitHub reads it: every scalar a string, `on` a word like others."""
    return yaml.load(github.render(job, schedule), Loader=yaml.BaseLoader)


def step(parsed, job, name):
    """Return a step by its name."""
    (found,) = [step for step in parsed["jobs"][job]["steps"] if step.get("name") == name]
    return found


STATUS = yaml.load(github.render_status(SCHEDULE), Loader=yaml.BaseLoader)
ALL = [*map(workflow, JOBS.values()), STATUS]


@pytest.fixture
def shop(tmp_path):
    """Return a checkout whose `inv` writes down how it was called."""
    (tmp_path / "told").mkdir()
    (tmp_path / "inv").write_text(INV)
    (tmp_path / "inv").chmod(0o755)
    return tmp_path


def start(shop, script, **env):
    """Start a script as GitHub does."""
    (shop / "step.sh").write_text(script)
    told = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(shop), "TOLD": str(shop / "told")}
    return subprocess.Popen([*BASH, shop / "step.sh"], cwd=shop, env={**told, **env})


def called(shop, script, **env):
    """Return the words that `inv` got from a script, which must have become it."""
    process = start(shop, script, **env)
    assert process.wait(timeout=20) == 0
    assert int((shop / "told/pid").read_text()) == process.pid
    files = sorted((shop / "told").glob("[0-9]*"), key=lambda file: int(file.name))
    return [file.read_text() for file in files]


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
    assert parsed["concurrency"] == {
        "group": "job expire_trials",
        "cancel-in-progress": "false",
        "queue": "max",
    }
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


NONE = {"DRY_RUN": "", "AS_OF": "", "ALLOW": "", "REASON": ""}
HEAD = ["jobs.run", "expire_trials"]
TAIL = ["--max-seconds=900", "--json", "--"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, [*HEAD, "--slot=latest", *TAIL]),
        ({"DRY_RUN": "false"}, [*HEAD, "--slot=latest", *TAIL]),
        ({"DRY_RUN": "true"}, [*HEAD, "--slot=latest", *TAIL, "--dry-run"]),
        ({"AS_OF": "2026-03-01T04:00Z"}, [*HEAD, *TAIL, "--as-of=2026-03-01T04:00Z"]),
        (
            {"ALLOW": "7", "REASON": "a b"},
            [*HEAD, "--slot=latest", *TAIL, "--allow=7", "--reason=a b"],
        ),
        (
            dict.fromkeys(NONE, WORST),
            [*HEAD, *TAIL, f"--as-of={WORST}", f"--allow={WORST}", f"--reason={WORST}"],
        ),
    ],
)
def test_run_step_becomes_the_command(shop, given, words):
    """Each input is one word after the `--`, whatever is in it; the result lies in its file."""
    script = step(workflow(DAILY), "run", "Run")["run"]
    assert called(shop, script, **{**NONE, **given}) == words
    assert json.loads((shop / "run.json").read_text()) == {"status": "SUCCEEDED"}
    assert not (shop / "broken").exists()


def test_run_step_of_a_job_without_inputs(shop):
    """Started by hand or by the clock, it goes for the newest slot."""
    script = step(workflow(WEEKLY), "run", "Run")["run"]
    words = ["jobs.run", "clearsessions", "--slot=latest", "--max-seconds=450", "--json"]
    assert called(shop, script) == words


def test_run_step_of_a_job_with_some_inputs(shop):
    """What its command does not know cannot be given."""
    script = step(workflow(MIXED), "run", "Run")["run"]
    words = [
        "jobs.run",
        "Send_Bills",
        "--max-seconds=900",
        "--json",
        "--",
        "--dry-run",
        "--as-of=x",
    ]
    assert called(shop, script, DRY_RUN="true", AS_OF="x", REASON="y") == words


@pytest.mark.parametrize(
    ("parsed", "name", "words"),
    [
        (ALL[0], "Preflight", ["jobs.preflight", "expire_trials"]),
        (STATUS, "Status", ["jobs.status"]),
    ],
)
def test_other_steps_with_secrets(shop, parsed, name, words):
    """They become the command too."""
    job = next(iter(parsed["jobs"]))
    assert called(shop, step(parsed, job, name)["run"]) == words


def test_summary_comes_in_every_outcome(shop):
    """It reads what the run left, and adds to the page."""
    found = step(workflow(DAILY), "run", "Summary")
    assert found["if"] == "always()"
    page = shop / "page"
    page.write_text("before\n")
    words = called(shop, found["run"], GITHUB_STEP_SUMMARY=str(page))
    assert words == ["jobs.summary", str(shop / "run.json")]
    assert page.read_text() == 'before\n{"status": "SUCCEEDED"}\n'


def test_cancelling_reaches_the_command(shop):
    """GitHub signals the shell alone; by then that is the command, and its exit code is kept."""
    loop = "trap 'exit 4' INT\necho $$ > \"$TOLD/pid\"\nwhile :; do sleep 0.02; done\n"
    (shop / "inv").write_text(f"#!/bin/sh\n{loop}")
    process = start(shop, step(workflow(DAILY), "run", "Run")["run"], **NONE)
    for _ in range(500):
        if (shop / "told/pid").exists() and (shop / "told/pid").read_text():
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=20) == 4
    finally:
        process.kill()


MINE = {"number": 7, "title": "The job expire_trials needs a look", "author": {"is_bot": True}}
OTHERS = [
    {**MINE, "number": 1, "title": "The job clearsessions needs a look"},
    {**MINE, "number": 2, "author": {"is_bot": False}},
]
RUN = "https://github.example/example/shop/actions/runs/1"


@pytest.mark.parametrize(
    ("result", "issues", "call"),
    [
        ("success", OTHERS, None),
        (
            "success",
            [*OTHERS, MINE],
            ["issue", "close", "7", "--comment", f"It is well again: {RUN}"],
        ),
        (
            "failure",
            OTHERS,
            [
                *["issue", "create", "--title", MINE["title"]],
                *["--body", f"A run came out as failure: {RUN}"],
            ],
        ),
        (
            "cancelled",
            [*OTHERS, MINE],
            ["issue", "comment", "7", "--body", f"The same again (cancelled): {RUN}"],
        ),
    ],
)
def test_one_issue_for_a_job(tmp_path, result, issues, call):
    """Opened, commented and closed; neither another job's nor a stranger's is touched."""
    script = step(workflow(DAILY), "notify", "Open, update or close the issue")
    write_program(tmp_path / "gh", GH)
    process = start(
        tmp_path, script["run"], PATH=f"{tmp_path}:{os.environ['PATH']}", RUN=RUN, RESULT=result,
        TITLE=script["env"]["TITLE"], ISSUES=json.dumps(issues), CALLS=str(tmp_path / "calls"),
    )  # fmt: skip
    assert process.wait(timeout=20) == 0
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert calls[0] == [
        "issue", "list", "--limit", "1000", "--json", "number,title,author", "--jq",
        "map(select(.title == env.TITLE and .author.is_bot)) | .[0].number // empty",
    ]  # fmt: skip
    assert calls[1:] == ([call] if call else [])


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
    } | {github.file_name(github.STATUS_NAME): github.render_status(config.schedule)}
    found = {file: (ROOT / file).read_text("utf-8") for file in wanted}
    states = {verdict.file: verdict.state for verdict in rendered.compare(found, wanted)}
    assert states == dict.fromkeys(wanted, rendered.State.CURRENT)
