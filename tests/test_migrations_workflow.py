"""The review of migrations on GitHub: who may do what, and what its scripts do."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.commands import ROOT, write_program

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]  # GitHub's, for `shell: bash`
WORST = "## 1 migration\n\"'`$(touch broken)${HOME};|&\n@file EOF\n::set-output name=x::y\né"
MARKER = "<!-- the plan of the migrations -->"
PARSED = yaml.load(
    (ROOT / ".github/workflows/migrations.yml").read_text("utf-8"), Loader=yaml.BaseLoader
)
#: Writes its words down, and a comment where it is asked for one and has one.
INV = """\
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "--comment" in sys.argv:
    print("the page")
    if text := os.environ["TEXT"]:
        with open(sys.argv[sys.argv.index("--comment") + 1], "w") as file:
            file.write(text)
sys.exit(int(os.environ["CODE"]))
"""
#: Lists comments through jq, as gh does, and writes down what changes one.
GH = """\
import json, os, sys
import jq
words = sys.argv[1:]
if "--jq" in words:
    program = jq.compile(words[words.index("--jq") + 1])
    for found in program.input_text(os.environ["COMMENTS"]):
        print(found if isinstance(found, str) else json.dumps(found))
    sys.exit()
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(words) + "\\n")
"""


def step(job: str, name: str) -> dict[str, Any]:
    """Return a step by its name."""
    steps: list[dict[str, Any]] = PARSED["jobs"][job]["steps"]
    (found,) = [step for step in steps if step.get("name") == name]
    return found


def run(folder: Path, job: str, name: str, **env: str) -> int:
    """Run a step as GitHub does; return its exit code."""
    (folder / "step.sh").write_text(step(job, name)["run"])
    given = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(folder),
        "GITHUB_STEP_SUMMARY": str(folder / "page"),
        "GITHUB_OUTPUT": str(folder / "output"),
        "CALLS": str(folder / "calls"),
        **env,
    }
    return subprocess.run(
        [*BASH, folder / "step.sh"], cwd=folder, env=given, check=False
    ).returncode


def output(file: Path) -> str:
    """Return the one output, as GitHub reads it."""
    first, *lines, end = file.read_text("utf-8").removesuffix("\n").split("\n")
    assert first == f"comment<<{end}"
    assert re.fullmatch(r"[0-9a-f-]{36}", end)
    assert end not in lines
    return "\n".join(lines)


def test_who_may_do_what() -> None:
    """The job that runs the pull request's code only reads; the one that writes runs none of it."""
    assert PARSED["permissions"] == {}
    assert set(PARSED["on"]) == {"pull_request", "workflow_dispatch"}
    review, comment = PARSED["jobs"]["review"], PARSED["jobs"]["comment"]
    assert (review["permissions"], comment["permissions"]) == (
        {"contents": "read"},
        {"pull-requests": "write"},
    )
    assert [step for step in comment["steps"] if "uses" in step] == []
    (checkout,) = [step for step in review["steps"] if "uses" in step]
    assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", checkout["uses"])
    assert checkout["with"] == {"fetch-depth": "0", "persist-credentials": "false"}
    assert "secrets." not in json.dumps(PARSED)
    assert "github.token" not in json.dumps(review)
    assert not [
        step for step in [*review["steps"], *comment["steps"]] if "${{" in step.get("run", "")
    ]
    assert comment["if"] == (
        "!cancelled() && needs.review.outputs.comment != '' "
        "&& github.event.pull_request.head.repo.full_name == github.repository"
    )


@pytest.mark.parametrize("code", [0, 1])
def test_steps_of_the_review(tmp_path: Path, code: int) -> None:
    """Each calls inv and fails where it fails; what the plan prints is the step summary."""
    write_program(tmp_path / "inv", INV)
    steps = ("Set up", "Plan", "Forward, back and forward", "Check")
    env = {"BASE": "abc; rm -r x", "TEXT": "", "CODE": str(code)}
    assert {run(tmp_path, "review", name, **env) for name in steps} == {code}
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    comment = f"{tmp_path}/comment.md"
    assert calls == [
        ["db.wait"],
        ["db.plan", "--since", env["BASE"], "--markdown", "--", "--comment", comment],
        ["db.rollback-check", "--since", env["BASE"]],
        ["db.migrate"],
        *([["db.check"]] if code == 0 else []),
    ]
    assert (tmp_path / "page").read_text() == "the page\n"
    later = ["Forward, back and forward", "Check", "Hand the comment over"]
    assert {step("review", name)["if"] for name in later} == {"!cancelled()"}


def test_comment_is_handed_over_as_it_is(tmp_path: Path) -> None:
    """Also the worst text, and one that is missing: then it says where to look."""
    name = "Hand the comment over"
    assert run(tmp_path, "review", name, RUN="https://example.com/1") == 0
    missing = "The migrations could not be planned: https://example.com/1\n"
    assert output(tmp_path / "output") == missing
    (tmp_path / "output").unlink()
    (tmp_path / "comment.md").write_text(WORST, "utf-8")
    assert run(tmp_path, "review", name, RUN="") == 0
    assert output(tmp_path / "output") == WORST
    assert not (tmp_path / "broken").exists()


def comment_by(login: str, number: int, body: str) -> dict[str, object]:
    """Return a comment as GitHub lists it."""
    return {"id": number, "user": {"login": login}, "body": body}


BOT = "github-actions[bot]"
OTHERS = [
    comment_by("somebody", 1, f"{MARKER}\nnot ours"),
    comment_by(BOT, 2, f"another job's, which quotes {MARKER}"),
]


@pytest.mark.parametrize(
    ("comments", "call"),
    [
        ([], ["POST", "repos/o/r/issues/5/comments"]),
        (OTHERS, ["POST", "repos/o/r/issues/5/comments"]),
        (
            [*OTHERS, comment_by(BOT, 3, f"{MARKER}\nold"), comment_by(BOT, 4, f"{MARKER}\nolder")],
            ["PATCH", "repos/o/r/issues/comments/3"],
        ),
    ],
)
def test_one_comment_is_updated(
    tmp_path: Path, comments: list[dict[str, object]], call: list[str]
) -> None:
    """The first is written, later ones replace it; a stranger's and another job's stay."""
    write_program(tmp_path / "gh", GH)
    assert step("comment", "Write or update the comment")["env"]["MARKER"] == MARKER
    env = {"GH_REPO": "o/r", "NUMBER": "5", "MARKER": MARKER, "COMMENTS": json.dumps(comments)}
    assert run(tmp_path, "comment", "Write or update the comment", BODY=WORST, **env) == 0
    assert [json.loads(line) for line in (tmp_path / "calls").read_text("utf-8").splitlines()] == [
        ["api", "--silent", "--method", *call, "--raw-field", f"body={MARKER}\n{WORST}"]
    ]
    assert not (tmp_path / "broken").exists()


def test_failing_gh_fails_the_job(tmp_path: Path) -> None:
    """A list that cannot be had is not taken for an empty one."""
    write_program(tmp_path / "gh", GH)
    env = {"GH_REPO": "o/r", "NUMBER": "5", "MARKER": MARKER, "COMMENTS": "no JSON"}
    assert run(tmp_path, "comment", "Write or update the comment", BODY="x", **env) != 0
    assert not (tmp_path / "calls").exists()


def test_longest_comment_fits_the_environment() -> None:
    """Linux takes 128 KiB in one variable or word; a comment has at most half of it."""
    from django_runbook.schema.review.report.markdown import COMMENT

    assert COMMENT + len(MARKER) < 128 * 1024
