"""`[tool.django-runbook]`: what it may say, and what the message is where it is wrong."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.config import Config, ConfigError, Job, find_root, load
from tests.commands import ROOT

JOB = "tool.django-runbook.jobs.expire_trials"
NUMBERS = ("timeout_minutes", "grace_hours", "max_due", "max_share", "max_times_median", "workers")
DECLARED = """\
[tool.django-runbook]
manage = "manage.py"
protected = ["staging"]

[tool.django-runbook.environments]
production = "PRODUCTION_DATABASE_URL"
eu-archive = "EU_ARCHIVE_URL"

[tool.django-runbook.jobs.expire_trials]
cron = "17 4 * * *"
timezone = "America/St_Johns"
timeout_minutes = 7.5
grace_hours = 0.25
safety_hours = false
exclusive = true
max_due = 5000
max_share = 1
max_times_median = 1.5
heartbeat = "EXPIRE_TRIALS_PING"
workers = 1
inputs = ["as-of"]

[tool.django-runbook.jobs.clearsessions]
exclusive = false
safety_hours = 5
max_share = false
max_times_median = false
workers = 1000
inputs = []
"""


@pytest.fixture
def written(tmp_path):
    """Return what loads a pyproject.toml with this text."""
    (tmp_path / "manage.py").touch()

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text)
        load.cache_clear()
        return load(tmp_path)

    return write


def with_job(lines):
    """Return a pyproject.toml that declares one job."""
    return f'[tool.django-runbook]\nmanage = "manage.py"\n[{JOB}]\n{lines}\n'


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
                exclusive=True,
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
        "exclusive": False,
        "max_due": None,
        "max_share": 0.5,
        "max_times_median": 10,
        "heartbeat": None,
        "workers": 1,
        "inputs": ("dry-run", "as-of", "allow", "reason"),
    }
    assert dataclasses.asdict(config.job("expire_trials")) == {"name": "expire_trials", **defaults}
    assert dataclasses.asdict(config.job("other")) == {"name": "other", **defaults}
    empty = written('[tool.django-runbook]\nmanage = "manage.py"\n')
    assert (dict(empty.jobs), dict(empty.environments)) == ({}, {})


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
        ("cron = 7", 'cron = 7 is not a string of five fields, as in "17 4 * * *".'),
        (
            'cron = "@daily"',
            "cron = '@daily' is not a string of five fields, as in \"17 4 * * *\".",
        ),
        (
            'timezone = "Europe/Berlin "',
            (
                "timezone = 'Europe/Berlin ' is not a time zone of IANA that this machine knows, "
                'as in "Europe/Berlin".'
            ),
        ),
        (
            "timeout_minutes = 0",
            "timeout_minutes = 0 is not a number of minutes above 0, 43200 at most.",
        ),
        ("grace_hours = -1", "grace_hours = -1 is not a number of hours above 0, 8784 at most."),
        ('exclusive = "yes"', "exclusive = 'yes' is not true or false."),
        ("max_due = 0", "max_due = 0 is not a whole number of at least 1."),
        ("max_share = 1.01", "max_share = 1.01 is not a number above 0, 1 at most, or false."),
        (
            "max_times_median = 0.5",
            "max_times_median = 0.5 is not a number of at least 1, or false.",
        ),
        (
            'heartbeat = "expire_ping"',
            (
                "heartbeat = 'expire_ping' is not the name of an environment variable, "
                'as in "EXPIRE_TRIALS_PING".'
            ),
        ),
        ("workers = 1001", "workers = 1001 is not a whole number from 1 to 1000."),
        (
            "exclusive = true\nworkers = 2",
            "workers = 2 contradicts exclusive = true; allowed: one of the two.",
        ),
        ("safety_hours = 0", "safety_hours = 0 is not a whole number from 1 to 23, or false."),
        (
            "safety_hours = 6",
            (
                "safety_hours = 6 contradicts grace_hours = 6, after which the slot is missed; "
                "allowed: less than that, or false."
            ),
        ),
        (
            'inputs = ["dry_run"]',
            "inputs = ['dry_run'] is not a list of some of dry-run, as-of, allow, reason.",
        ),
        ("grace_hour = 6", "grace_hour is not a known key; nearest: grace_hours, safety_hours."),
        ("max_duo = 6", "max_duo is not a known key; nearest: max_due."),
        (
            "schedule = 6",
            (
                "schedule is not a known key; allowed: cron, timezone, timeout_minutes, "
                "grace_hours, safety_hours, exclusive, max_due, max_share, max_times_median, "
                "heartbeat, workers, inputs."
            ),
        ),
        ('"a\\nb" = 6', "'a\\nb' is not a known key; allowed: cron, timezone, "),
    ],
)
def test_bad_job_is_one_line(written, tmp_path, line, message):
    """The file, the full key, the value and what is allowed."""
    with pytest.raises(ConfigError) as error:
        written(with_job(line))
    assert str(error.value).startswith(f"{tmp_path / 'pyproject.toml'}: {JOB}.{message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[
            (key, value)
            for key in NUMBERS
            for value in ("true", "nan", "inf", "-inf", "-1", '"7"', "1e400", "1" + "0" * 400, "[]")
        ],
        *[(key, "false") for key in ("timeout_minutes", "grace_hours", "max_due", "workers")],
        *[(key, "1.0") for key in ("max_due", "workers")],
        *[(key, "0") for key in NUMBERS],
        ("exclusive", "1"),
        ("cron", "false"),
        *[("cron", f'"{fields}"') for fields in ("", "4 * * *", "0 17 4 * * *")],
        *[("heartbeat", value) for value in ('""', '"1_PING"', '"PING-1"', '"ÄPING"', '"PING\\n"')],
        *[
            ("timezone", f'"{name}"')
            for name in (
                "",
                "Europe",
                "Europe/Atlantis",
                "../etc/passwd",
                "/etc/localtime",
                "localtime",
                "right/UTC",
                "posix/Europe/Berlin",
                "UTC+1",
            )
        ],
        ("timezone", "false"),
    ],
)
def test_bad_value_is_refused(written, key, value):
    """True is no number; a number is finite and in its range; a zone has one meaning anywhere."""
    with pytest.raises(ConfigError, match=rf"{JOB}\.{key}\b"):
        written(with_job(f"{key} = {value}"))


def test_folder_of_zones_is_no_zone(written, monkeypatch):
    """Where the package tzdata is installed, older Pythons try to open it."""

    def opens(name):
        raise IsADirectoryError(name)

    monkeypatch.setattr("zoneinfo.ZoneInfo", opens)
    with pytest.raises(ConfigError, match="timezone = 'Europe' is not a time zone"):
        written(with_job('timezone = "Europe"'))
    assert written(with_job('timezone = "UTC"')).job("expire_trials").timezone == "UTC"


@pytest.mark.parametrize(
    "value",
    [
        '"https://hc.example/s3cret"',
        '["https://hc.example/s3cret"]',
        '{url = "https://hc.example/s3cret"}',
        '"hc.example/s3cret"',
        '"b6ef-s3cret"',
    ],
)
def test_address_of_a_heartbeat_is_never_repeated(written, value):
    """It is a secret: whoever knows it can say that all is well."""
    with pytest.raises(ConfigError) as error:
        written(with_job(f"heartbeat = {value}"))
    message = str(error.value)
    assert f"{JOB}.heartbeat is " in message
    assert 'an environment variable, as in "EXPIRE_TRIALS_PING"' in message
    assert ("is a secret" in message) == ("://" in value)
    assert "s3cret" not in message
    with pytest.raises(ConfigError) as error:
        written(f'[tool.django-runbook]\nmanage = "manage.py"\n[[{JOB}]]\nheartbeat = {value}\n')
    assert f"{JOB} = […] is not a table, as in [{JOB}]." in str(error.value)
    assert "s3cret" not in str(error.value)


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


def test_safety_net_stays_within_the_grace(written):
    """Nobody has to say so: a job with a short grace has none."""
    assert written(with_job("grace_hours = 4.5")).job("expire_trials").safety_hours == 4
    assert written(with_job("grace_hours = 4")).job("expire_trials").safety_hours is None


@pytest.mark.parametrize("name", ["expire-trials", "expire trials", "_private", "7days", "", "é"])
def test_job_is_named_as_a_command(written, tmp_path, name):
    """What no command can be called is no job."""
    with pytest.raises(ConfigError) as error:
        written(
            f'[tool.django-runbook]\nmanage = "manage.py"\n[tool.django-runbook.jobs."{name}"]\n'
        )
    shown = name if name in {"expire-trials", "_private", "7days"} else repr(name)
    assert str(error.value) == (
        f"{tmp_path / 'pyproject.toml'}: tool.django-runbook.jobs.{shown} is not named as a "
        "management command can be; allowed: letters, digits and _, as in expire_trials."
    )


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
                "tool.django-runbook.job is not a known key; allowed: manage, protected. "
                "A job is a table, as in [tool.django-runbook.jobs.expire_trials]."
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


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
tables = st.lists(values, max_size=2) | st.dictionaries(st.text(max_size=5), values, max_size=2)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([field.name for field in dataclasses.fields(Job)]) | st.text(max_size=9),
    values | tables,
)
def test_any_value_gives_a_job_or_one_line(tmp_path, key, value):
    """Nothing that a table can hold ends in a traceback, or in a message of two lines."""
    from django_runbook.config.jobs import read_job

    file = tmp_path / "pyproject.toml"
    try:
        job = read_job(file, "expire_trials", {key: value})
    except ConfigError as error:
        assert str(error).startswith(f"{file}: {JOB}.")  # noqa: PT017  # either way is right
        assert len(str(error).splitlines()) == 1  # noqa: PT017  # as above
    else:
        kept = tuple(value) if isinstance(value, list) else value
        assert getattr(job, key) == (None if value is False and key != "exclusive" else kept)


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
