"""What the scripts of the workflows do with the worst of inputs, and in every outcome."""

import json
import os
import signal
import subprocess
import time

import pytest

from tests.commands import write_program
from tests.ops.schedule.goldens import DAILY, MIXED, WEEKLY
from tests.ops.schedule.workflows import ALL, STATUS, step, workflow

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
            {"ALLOW": "7", "REASON": "a b"},  # the slot may be done, and this is to be done
            [*HEAD, *TAIL, "--allow=7", "--reason=a b"],
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
