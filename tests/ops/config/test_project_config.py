"""`[tool.django-runbook]`: where it is found, what it may say, and what is wrong in it."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from django_runbook.config import Config, ConfigError, Job, find_root, load
from tests.commands import ROOT
from tests.ops.config.declaring import JOB, with_job

DECLARED = """\
[tool.django-runbook]
manage = "manage.py"
protected = ["staging"]

[tool.django-runbook.environments]
production = "PRODUCTION_DATABASE_URL"
eu-archive = "EU_ARCHIVE_URL"

[tool.django-runbook.jobs]
keep_days = 400

[tool.django-runbook.jobs.expire_trials]
cron = "17 4 * * *"
timezone = "America/St_Johns"
timeout_minutes = 7.5
grace_hours = 0.25
safety_hours = false
overlap = "wait"
max_due = 5000
max_share = 1
max_times_median = 1.5
heartbeat = "EXPIRE_TRIALS_PING"
workers = 1
inputs = ["as-of"]

[tool.django-runbook.jobs.clearsessions]
overlap = "share"
safety_hours = 5
max_share = false
max_times_median = false
workers = 1000
inputs = []
"""


def test_whole_configuration(written, tmp_path):
    """Each key of each job, in the order of the file; `false` switches a limit off."""
    assert written(DECLARED) == Config(
        root=tmp_path,
        manage=tmp_path / "manage.py",
        protected=frozenset({"production", "staging"}),
        jobs={
            "expire_trials": Job(
                name="expire_trials",
                cron="17 4 * * *",
                timezone="America/St_Johns",
                timeout_minutes=7.5,
                grace_hours=0.25,
                safety_hours=None,
                overlap="wait",
                max_due=5000,
                max_share=1,
                max_times_median=1.5,
                heartbeat="EXPIRE_TRIALS_PING",
                workers=1,
                inputs=("as-of",),
            ),
            "clearsessions": Job(
                name="clearsessions",
                safety_hours=5,
                max_share=None,
                max_times_median=None,
                workers=1000,
                inputs=(),
            ),
        },
        environments={"production": "PRODUCTION_DATABASE_URL", "eu-archive": "EU_ARCHIVE_URL"},
        keep_days=400,
    )
    assert list(load(tmp_path).jobs) == ["expire_trials", "clearsessions"]


def test_defaults(written, tmp_path):
    """A job that says nothing, and one that is not declared, have the same modest defaults."""
    config = written(with_job(""))
    defaults = {
        "cron": None,
        "timezone": "UTC",
        "timeout_minutes": 15,
        "grace_hours": 6,
        "safety_hours": 4,
        "overlap": "share",
        "max_due": None,
        "max_share": 0.5,
        "max_times_median": 10,
        "heartbeat": None,
        "workers": 1,
        "throttle": 1,
        "max_lag_seconds": None,
        "inputs": ("dry-run", "as-of", "allow", "reason"),
    }
    assert dataclasses.asdict(config.job("expire_trials")) == {"name": "expire_trials", **defaults}
    assert dataclasses.asdict(config.job("other")) == {"name": "other", **defaults}
    empty = written('[tool.django-runbook]\nmanage = "manage.py"\n')
    assert (dict(empty.jobs), dict(empty.environments), empty.keep_days) == ({}, {}, None)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "true", '"30"', "36526"])
def test_what_the_ledger_keeps_is_whole_days(written, tmp_path, value):
    """From one to a century; the line names the key beside the jobs, and what is allowed."""
    with pytest.raises(ConfigError) as refused:
        written(f"[tool.django-runbook.jobs]\nkeep_days = {value}\n")
    shown = value.replace('"', "'").replace("true", "True")
    assert str(refused.value) == (
        f"{tmp_path}/pyproject.toml: tool.django-runbook.jobs.keep_days = {shown} "
        "is not a whole number of days from 1 to 36525."
    )


def test_configuration_cannot_be_changed(written):
    """Neither a job nor the list of them, nor the environments; the same file is read once."""
    config = written(DECLARED)
    assert load(config.root) is config
    with pytest.raises(TypeError, match="does not support item assignment"):
        config.environments["other"] = "URL"
    with pytest.raises(TypeError, match="does not support item assignment"):
        config.jobs["other"] = Job(name="other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.job("expire_trials").cron = "* * * * *"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'production = "postgresql://me:s3cret@db/app"',
            ".production is an address, which is a secret: keep it in {allowed}, and name that.",
        ),
        (
            '"a b" = "DATABASE_URL"',
            ".'a b' is no name; allowed: letters, digits, _ and -.",
        ),
        ('production = "s3cret@db/app"', ".production is not the name of {allowed}."),
        ("production = ['postgresql://s3cret']", ".production is an address, {more}"),
        ("production = true", ".production = True is not the name of {allowed}."),
        (
            'production = "database_url"',
            ".production = 'database_url' is not the name of {allowed}.",
        ),
        ('production = ""', ".production is not the name of {allowed}."),
    ],
)
def test_bad_environment_is_one_line_without_its_address(written, tmp_path, line, message):
    """The key, and what is allowed; whoever reads a log learns no password."""
    allowed = 'an environment variable, as in production = "PRODUCTION_DATABASE_URL"'
    more = f"which is a secret: keep it in {allowed}, and name that."
    with pytest.raises(ConfigError) as error:
        written(
            '[tool.django-runbook]\nmanage = "manage.py"\n'
            f"[tool.django-runbook.environments]\n{line}\n"
        )
    assert str(error.value) == (
        f"{tmp_path / 'pyproject.toml'}: tool.django-runbook.environments"
        f"{message.format(allowed=allowed, more=more)}"
    )
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tool = 3", "tool = 3 is not a table, as in [tool]."),
        (
            "tool.django-runbook = 3",
            "tool.django-runbook = 3 is not a table, as in [tool.django-runbook].",
        ),
        (
            "[tool.django-runbook]\njobs = true",
            "tool.django-runbook.jobs = True is not a table, as in [tool.django-runbook.jobs].",
        ),
        (
            "[tool.django-runbook]\nenvironments = 'postgresql://me:s3cret@db/app'",
            (
                "tool.django-runbook.environments = […] is not a table, as in "
                "[tool.django-runbook.environments]."
            ),
        ),
        (
            '[tool.django-runbook.jobs]\nexpire_trials = "17 4 * * *"',
            f"{JOB} = '17 4 * * *' is not a table, as in [{JOB}].",
        ),
        (
            "[tool.django-runbook.job.expire_trials]",
            (
                "tool.django-runbook.job is not a known key; allowed: manage, protected, "
                "unprotected. A job is a table, as in [tool.django-runbook.jobs.expire_trials]."
            ),
        ),
    ],
)
def test_what_must_be_a_table(written, tmp_path, text, message):
    """Each level says its own key."""
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend/manage.py").touch()
    with pytest.raises(ConfigError) as error:
        written(text)
    assert str(error.value) == f"{tmp_path / 'pyproject.toml'}: {message}"


def test_root_is_the_nearest_folder_with_the_table(tmp_path, monkeypatch):
    """A file without [tool.django-runbook] on the way is passed over, and so are folders."""
    product = tmp_path / "product"
    command = product / "backend" / "accounts" / "management"
    command.mkdir(parents=True)
    (product / "backend/pyproject.toml").write_text("[tool.ruff]\n")
    (command / "pyproject.toml").mkdir()
    assert find_root(command) is None
    (tmp_path / "pyproject.toml").write_text("[tool.django-runbook.jobs.expire_trials]\n")
    assert find_root(command) == tmp_path
    (product / "pyproject.toml").write_text("[tool.django-runbook]\n")
    assert find_root(command) == product
    assert find_root(product) == product
    assert find_root(command / "expire_trials.py") == product
    assert find_root(command / ".." / "nowhere") == product
    assert find_root(tmp_path) == tmp_path
    monkeypatch.chdir(command)
    assert find_root(Path()) == product


def test_root_below_a_broken_file_is_not_guessed(tmp_path):
    """A file that cannot be read could be the one: a folder further up is not taken for it."""
    (tmp_path / "pyproject.toml").write_text("[tool.django-runbook]\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[tool.django-runbook\n")
    with pytest.raises(ConfigError) as error:
        find_root(inner)
    assert str(error.value).startswith(f"{inner / 'pyproject.toml'} cannot be read: ")


def test_reading_the_module_is_quick():
    """The list of tasks pays neither for TOML, nor for time zones, nor for cron."""
    slow = {"tomllib", "zoneinfo", "cronsim"}
    script = f"import sys, django_runbook.config; print({slow} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
