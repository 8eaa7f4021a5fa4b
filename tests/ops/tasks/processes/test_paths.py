"""A path that the user typed means the folder in which they stand, from anywhere."""

import json
import re
from pathlib import Path

import pytest

from django_runbook.tasks.processes.paths import PATHS, absolute
from tests.commands import ROOT

HERE = Path("/home/me/bk")


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        ("backup --output=x", "backup --output=/home/me/bk/x"),
        ("backup --output x --json", "backup --output /home/me/bk/x --json"),
        ("backup --out ../x", "backup --out /home/me/bk/../x"),
        ("backup --output=/x", "backup --output=/x"),
        ("backup --output=", "backup --output="),
        ("backup", "backup"),
        ("restore x", "restore /home/me/bk/x"),
        ("restore --json x --database other", "restore --json /home/me/bk/x --database other"),
        ("restore --confirm app x", "restore --confirm app /home/me/bk/x"),
        ("plan_migrations --sizes=x --json", "plan_migrations --sizes=/home/me/bk/x --json"),
        ("plan_migrations --comment x users", "plan_migrations --comment /home/me/bk/x users"),
        ("plan_migrations --since=x", "plan_migrations --since=x"),
        ("squash --applied=a=x --applied b=y", None),
        ("squash users --applied=a", "squash users --applied=a"),
        ("dumpdata -o x users", "dumpdata -o /home/me/bk/x users"),
        ("run_job restore -- x", "run_job restore -- /home/me/bk/x"),
        ("run_job --json backup -- --output=x", "run_job --json backup -- --output=/home/me/bk/x"),
        ("run_job flush", "run_job flush"),
        ("shell backup --output=x", "shell backup --output=x"),
        ("", ""),
    ],
)
def test_paths_are_made_absolute(typed, passed):
    """Every form that argparse takes, and no word that is none."""
    if passed is None:
        passed = "squash --applied=a=/home/me/bk/x --applied b=/home/me/bk/y"
    assert absolute(typed.split(), HERE) == passed.split()


#: A line from a foreign folder, and the words that its command gets.
LINES = {
    "backup": ("db.backup --output x", "backup --output={x}"),
    "restore": ("db.restore x", "restore {x}"),
    "plan_migrations": ("db.plan --sizes x", "plan_migrations --sizes={x}"),
    "squash": ("db.squash users --applied a=x", "squash --applied=a={x} users"),
    "dumpdata": ("manage -- dumpdata -o x", "dumpdata -o {x}"),
}


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_every_task_means_the_users_folder(commands, database_url, engine, tmp_path):
    """From a folder outside of the repository each task's paths are those of that folder.

    What a task passes on is looked at with --dry; a backup, and its restore, are really made.
    """
    env = {"DATABASE_URL": database_url}
    assert LINES.keys() == PATHS.keys()
    for task, words in LINES.values():
        if task.startswith("db.restore"):
            continue
        done = commands.inv("--dry", *task.split(), cwd=tmp_path, **env)
        wanted = words.format(x=tmp_path / "x")
        assert (done.code, re.split(r"manage\.py'? ", done.out)[1]) == (0, f"{wanted}\n"), done.err
    before = sorted(path.name for path in ROOT.iterdir())
    done = commands.inv("db.backup", "--output", "app.sqlite3", cwd=tmp_path, **env)
    assert done.code == 0, done.err
    done = commands.inv("db.restore", "app.sqlite3", cwd=tmp_path, ENVIRONMENT="local", **env)
    assert done.code == 0, done.err
    done = commands.inv("graph", "--output=models.mmd", cwd=tmp_path, **env)
    assert (done.code, done.out) == (0, "Wrote models.mmd\n")
    done = commands.inv("schedule.export", "crontab", "--output=cron", cwd=tmp_path)
    assert done.code == 0, done.err
    (tmp_path / "run.json").write_text(json.dumps({"job": "mine", "status": "DONE"}))
    done = commands.inv("jobs.summary", "run.json", cwd=tmp_path)
    assert done.out.startswith("### mine: done")
    assert {path.name for path in tmp_path.iterdir()} >= {
        *("app.sqlite3", "app.sqlite3.json", "cron", "models.mmd"),
    }
    assert sorted(path.name for path in ROOT.iterdir()) == before
