"""`[tool.django-runbook.jobs]`: what it may say, and what the message is where it is wrong."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_runbook.config import ConfigError, Job
from tests.ops.config.declaring import JOB, with_job

NUMBERS = ("timeout_minutes", "grace_hours", "max_due", "max_share", "max_times_median", "workers")


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
        (
            'overlap = "queue"',
            """overlap = 'queue' is not "share", "skip" or "wait".""",
        ),
        (
            "exclusive = true",
            "exclusive is not a known key; allowed: cron, timezone, timeout_minutes, grace_hours, ",
        ),
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
            'overlap = "wait"\nworkers = 2',
            "workers = 2 contradicts overlap = 'wait'; allowed: one of the two.",
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
                "grace_hours, safety_hours, overlap, max_due, max_share, max_times_median, "
                "heartbeat, workers, throttle, max_lag_seconds, inputs."
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
        ("overlap", "1"),
        ("overlap", "true"),
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
        assert getattr(job, key) == (None if value is False else kept)
