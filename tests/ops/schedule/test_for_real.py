"""Rendered scripts, run for real: cancelled by GitHub, typed at by the worst, shared by pods."""

import json
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import yaml

from django_runbook.config import Job
from django_runbook.schedule import kubernetes
from tests.commands import BIN, ROOT
from tests.ops.schedule.goldens import SCHEDULE

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]  # GitHub's, for `shell: bash`
ACCOUNTS, DUE = 12_000, 2_000
EXPIRED = f"SELECT count(*) FROM accounts_account WHERE status='TRIAL_EXPIRED' AND id <= {DUE}"
TRIALS = f"""UPDATE accounts_account SET status='TRIALING', created='2020-01-01 00:00:00'
    WHERE id <= {DUE}"""
#: Each batch takes a while, as in a large database.
SLOW = {
    "sqlite": """CREATE TRIGGER slow BEFORE INSERT ON runbook_jobs_batch BEGIN
        SELECT count(*) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT i FROM n LIMIT 500000); END""",
    "postgresql": """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(0.2); RETURN new; END $$; CREATE TRIGGER slow BEFORE INSERT
        ON runbook_jobs_batch FOR EACH ROW EXECUTE FUNCTION slow()""",
}


class Runner:
    """A runner of GitHub's: it starts the steps of a workflow's first job one by one."""

    def __init__(self, workflow: str, folder: Path, env: dict[str, str]) -> None:
        text = (ROOT / f".github/workflows/{workflow}.yml").read_text("utf-8")
        job = next(iter(yaml.load(text, Loader=yaml.BaseLoader)["jobs"].values()))
        self.scripts = {step["name"]: step["run"] for step in job["steps"] if "run" in step}
        self.folder = folder
        self.env = {**env, "RUNNER_TEMP": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "page")}
        (folder / "inv").write_text(f'#!/bin/sh\nexec "{BIN}/inv" --search-root "{ROOT}" "$@"\n')
        (folder / "inv").chmod(0o755)

    def start(self, name: str, **inputs: str) -> "subprocess.Popen[bytes]":
        """Start a step."""
        script = self.folder / "step.sh"
        script.write_text(self.scripts[name])
        given = {"DRY_RUN": "", "AS_OF": "", "ALLOW": "", "REASON": "", **inputs}
        return subprocess.Popen([*BASH, script], cwd=self.folder, env={**self.env, **given})

    def code(self, name: str, **inputs: str) -> int:
        """Return the exit code of a step."""
        return self.start(name, **inputs).wait(timeout=60)

    def result(self) -> dict[str, object]:
        """Return what the command left."""
        found: dict[str, object] = json.loads((self.folder / "run.json").read_text())
        return found


@pytest.fixture
def ask(engine, database_url):
    """Return what asks the database, in a connection of its own."""

    def asked(statement: str) -> int:
        if engine == "sqlite":
            path = database_url.removeprefix("sqlite://")
            with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
                rows = connection.execute(statement).fetchall()
        else:
            with psycopg.connect(database_url, autocommit=True) as connection:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows[0][0] if rows else 0

    return asked


@pytest.fixture
def runner(tmp_path, commands, database_url, engine, ask):
    """Return the runner, with many trials that are over and a database that is slow."""
    done = commands.manage(
        "create_sample_accounts", f"--count={ACCOUNTS}", DATABASE_URL=database_url
    )
    assert done.code == 0, done.err
    ask(TRIALS)
    ask(SLOW[engine])
    env = commands.env({"DATABASE_URL": database_url, "CI": "true"})
    return Runner("expire_trials", tmp_path, env)


@pytest.mark.slow
@pytest.mark.engines("sqlite", "postgresql")
def test_cancelled_run_is_gone_on_with(runner, ask):
    """SIGINT to the shell's process: exit code 4 in time, batches kept; the next start goes on."""
    assert runner.code("Set up") == runner.code("Preflight") == 0
    process = runner.start("Run")
    deadline = time.monotonic() + 30
    while not ask(EXPIRED):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.wait(timeout=30) == 4
    assert time.monotonic() - began < 7.5  # then comes SIGTERM, and 2.5 s later SIGKILL
    stopped = runner.result()
    assert (stopped["status"], stopped["reason"]) == ("STOPPED", "SIGINT")
    assert 0 < ask(EXPIRED) == stopped["changed"] < DUE
    assert runner.code("Summary") == 0
    assert runner.code("Run") == 0  # the safety net
    ended = runner.result()
    assert ended["status"] == "SUCCEEDED"
    assert stopped["changed"] + ended["changed"] >= DUE == ask(EXPIRED)
    assert runner.code("Run") == 0  # once more: the slot is done
    assert runner.result()["status"] == "TAKEN"
    assert ask("SELECT count(*) FROM runbook_jobs_slot") == 1
    assert "stopped" in (runner.folder / "page").read_text()


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_worst_inputs_change_nothing(runner, ask):
    """A dry run claims no slot; what a person typed is refused as a value, not obeyed."""
    worst = "\"'`$(touch broken)${HOME};|&\n--slot=x % é"
    assert runner.code("Run", DRY_RUN="true") == 0
    assert runner.result()["dry_run"] is True
    for name in ("AS_OF", "ALLOW"):
        assert runner.code("Run", **{name: worst, "REASON": worst}) == 2
    assert runner.code("Run", REASON=worst) == 2
    assert not (runner.folder / "broken").exists()
    assert ask("SELECT count(*) FROM accounts_account WHERE status='TRIALING'") >= DUE
    assert runner.code("Run", ALLOW=str(DUE * 2), REASON=worst) == 0


@pytest.mark.slow
@pytest.mark.engines("sqlite", "postgresql")
@pytest.mark.parametrize(
    ("workflow", "steps"),
    [
        ("expire_trials", ["Set up", "Preflight", "Run", "Summary"]),
        ("clearsessions", ["Set up", "Preflight", "Run", "Summary"]),
        ("jobs-status", ["Set up", "Status"]),
    ],
)
def test_every_step_of_every_workflow(tmp_path, commands, database_url, workflow, steps):
    """On a database with nothing to do, each comes out well."""
    env = commands.env({"DATABASE_URL": database_url, "CI": "true"})
    runner = Runner(workflow, tmp_path, env)
    assert list(runner.scripts) == steps
    assert {step: runner.code(step) for step in steps} == dict.fromkeys(steps, 0)
    if "Summary" in steps:
        assert f"{workflow}: succeeded" in (tmp_path / "page").read_text().replace("\\", "")


@pytest.mark.slow
@pytest.mark.engines("postgresql")
def test_pods_share_a_slot(runner, ask):
    """Four at once: one has the slot, the work is shared, and no row is changed twice."""
    job = Job(name="expire_trials", cron="17 4 * * *", workers=4)
    spec = yaml.safe_load(kubernetes.render(job, SCHEDULE))["spec"]["jobTemplate"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    pods = [
        subprocess.Popen(
            container["command"],
            cwd=runner.folder,
            env={**runner.env, "JOB_COMPLETION_INDEX": str(index)},
            stdout=subprocess.PIPE,
        )
        for index in range(spec["completions"])
    ]
    said = [json.loads(pod.communicate(timeout=120)[0]) for pod in pods]
    assert [pod.returncode for pod in pods] == [0, 0, 0, 0]
    assert [result["status"] for result in said] == ["SUCCEEDED"] * 4
    changed = [result["changed"] for result in said]
    assert ask(EXPIRED) == DUE <= sum(changed)
    assert sum(count > 0 for count in changed) > 1
    ids = "SELECT unnest(numbers) AS id FROM runbook_jobs_batch"
    assert ask(f"SELECT count(*) FROM ({ids}) AS listed") == sum(changed)
    assert ask(f"SELECT count(DISTINCT id) FROM ({ids}) AS listed") == sum(changed)
    assert ask("SELECT count(*) FROM runbook_jobs_slot") == 1
    assert ask("SELECT count(DISTINCT slot) FROM runbook_jobs_run") == 1
