"""The `jobs` tasks: what they hand to manage.py, the guard of undo, the exit codes."""

import json
import sys

import pytest
from invoke import Config, Context, Exit

from django_runbook.tasks import jobs
from django_runbook.tasks.processes import process
from tests.commands import ROOT, Commands


@pytest.fixture
def dry(monkeypatch, capsys):
    """Return what runs a task's body under --dry, and returns what manage.py would get."""
    context = Context(Config(overrides={"runbook": {"root": str(ROOT)}, "run": {"dry": True}}))

    def run(task, *rest: str, **options: object) -> str:
        monkeypatch.setattr(sys, "argv", ["inv", task.name, *(["--", *rest] if rest else [])])
        task(context, **options)
        return capsys.readouterr().out.rstrip("\n").partition("manage.py ")[2]

    return run


@pytest.mark.parametrize(
    ("task", "options", "line"),
    [
        (jobs.list_jobs, {}, "list_jobs"),
        (jobs.list_jobs, {"json": True}, "list_jobs --json"),
        (jobs.history, {}, "job_history"),
        (
            jobs.history,
            {"job": "a b", "count": "5", "json": True},
            "job_history '--job=a b' --count=5 --json",
        ),
        (jobs.show, {"run": "12"}, "show_run 12"),
        (jobs.show, {"run": "12", "ids": True, "json": True}, "show_run 12 --ids --json"),
        (jobs.prune, {}, "prune_runs"),
        (
            jobs.prune,
            {"keep_days": "30", "dry_run": True, "max_seconds": "60", "json": True},
            "prune_runs --keep-days=30 --dry-run --max-seconds=60 --json",
        ),
        (jobs.status, {"json": True}, "job_status --json"),
        (jobs.status, {"notify": True}, "job_status --notify"),
        (
            jobs.pause,
            {"name": "tidy", "until": "2026-03-01T04:00Z", "reason": "a b", "json": True},
            "pause_job tidy --until=2026-03-01T04:00Z '--reason=a b' --json",
        ),
        (jobs.resume, {"name": "tidy"}, "resume_job tidy"),
        (jobs.notify_test, {"json": True}, "notify_test --json"),
        (jobs.explain, {"key": "ada@example.com"}, "explain_job ada@example.com"),
        (
            jobs.explain,
            {"key": "ada l", "job": "expire_trials", "json": True},
            "explain_job 'ada l' --job=expire_trials --json",
        ),
    ],
)
def test_each_task_is_one_command(dry, task, options, line):
    """Its options arrive as Django spells them, and what stands after -- unchanged."""
    assert dry(task, **options) == line
    assert dry(task, "--traceback", "a b", **options) == f"{line} --traceback 'a b'"


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        (jobs.show, {}, "Something is missing, as in: inv jobs.show 12"),
        (jobs.show, {"run": "x"}, "'x' is no number of a run, as in: inv jobs.show 12"),
        (jobs.undo, {}, "Something is missing, as in: inv jobs.undo 12"),
        (jobs.undo, {"run": "-1"}, "'-1' is no number of a run, as in: inv jobs.undo 12"),
        (
            jobs.pause,
            {},
            'Say which job, as in: inv jobs.pause expire_trials --reason "new prices"',
        ),
        (
            jobs.pause,
            {"name": "tidy"},
            'Say why, as in: inv jobs.pause expire_trials --reason "new prices"',
        ),
        (jobs.resume, {"name": "-x"}, "Say which job, as in: inv jobs.resume expire_trials"),
        (jobs.explain, {}, "Say which row, as in: inv jobs.explain 17"),
        (jobs.explain, {"key": "--json"}, "Say which row, as in: inv jobs.explain 17"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(dry, monkeypatch, task, options, message):
    """Before anything is asked or started."""
    monkeypatch.setattr(process, "probe", None)
    with pytest.raises(Exit) as wrong:
        dry(task, **options)
    assert (wrong.value.code, wrong.value.message) == (2, message)


@pytest.fixture
def expired_url(commands: Commands, database_url: str) -> str:
    """Return the URL of a database in which run 1 expired some of 300 accounts."""
    env = {"DATABASE_URL": database_url}
    assert commands.manage("create_sample_accounts", "--count=300", **env).code == 0
    assert commands.manage("expire_trials", **env).code == 0
    return database_url


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_undo_is_guarded_and_ends_with_the_commands_code(commands, expired_url):
    """Refused with 3 on a protected target; with its name it is done; the rest is manage.py's."""
    env = {"DATABASE_URL": expired_url, "ENVIRONMENT": "production"}
    name = expired_url.rpartition("/")[2]
    ledger = json.loads(commands.manage("show_run", "1", "--json", **env).out)
    shown = (
        "Undo run 1 of expire_trials: accounts.account, status TRIAL_EXPIRED -> TRIALING, "
        f"{ledger['changed']} row(s) in 1 batch, in: "
        f"production sqlite {expired_url.removeprefix('sqlite:///')}\n"
    )
    refused = commands.inv("jobs.undo", "1", **env)
    assert (refused.code, refused.out, refused.err) == (
        3,
        "",
        (
            f"{shown}CommandError: Refused: the target is protected (settings.ENVIRONMENT is "
            f"production) and there is no terminal. Add --confirm {name}.\n"
        ),
    )
    done = commands.inv("jobs.undo", "1", "--json", "--confirm", name, **env)
    assert (done.code, done.err) == (0, shown)
    result = json.loads(done.out)
    assert (result["undoes"], result["run"], result["left"]) == (1, 2, 0)
    assert result["restored"] == result["changed"] > 0
    again = commands.inv("jobs.undo", "2", "--confirm", name, **env)
    assert (again.code, again.out) == (3, "")
    assert again.err == "CommandError: Refused: run 2 is itself the undo of run 1.\n"


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_tasks_reach_the_ledger(commands, database_url):
    """By their names; nothing was missed since the ledger was made, and a key is found by place."""
    listed = commands.inv("jobs.list", DATABASE_URL=database_url)
    assert (listed.code, listed.err) == (0, "")
    assert [line.split()[0] for line in listed.out.splitlines()] == [
        "job",
        "expire_trials",
        "clearsessions",
        "fill_display_names",
    ]
    nobody = commands.inv("jobs.explain", "nobody", "--json", DATABASE_URL=database_url)
    assert (nobody.code, nobody.out) == (1, "")
    assert nobody.err == (
        "CommandError: No account answers to 'nobody'. "
        "Give an account's number, its user's name or mail.\n"
    )
