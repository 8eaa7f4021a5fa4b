"""`[tool.django-runbook.schedule]`: what it may say, and what the message is where it is wrong."""

import pytest

from django_runbook.config import ConfigError, Schedule
from django_runbook.config.schedule import read_schedule

TABLE = "tool.django-runbook.schedule"
WHOLE = {
    "repository": "Example/My_Shop.py",
    "branch": "release/1.x",
    "environment": "live-eu",
    "secrets": ["DATABASE_URL"],
    "runner": "shop-runner",
    "command": "uv run --frozen inv",
    "image": "registry.example:5000/shop@sha256:0123",
    "folder": "/srv/shop",
    "user": "shop",
    "mail": "ops+jobs@example.org",
}


def test_whole_table(tmp_path):
    """Each key, as it is written; a list can no more be changed."""
    found = read_schedule(tmp_path, WHOLE)
    assert found == Schedule(**{**WHOLE, "secrets": ("DATABASE_URL",)})
    assert found.app == "my-shop-py"


def test_defaults(tmp_path):
    """All but the repository and the image, which nobody can guess."""
    assert read_schedule(tmp_path, {}) == Schedule(
        repository=None,
        branch="main",
        environment="production",
        secrets=("DATABASE_URL", "SECRET_KEY"),
        runner="ubuntu-24.04",
        command="./inv",
        image=None,
        folder=None,
        user="app",
        mail="root",
    )
    assert Schedule().app == "jobs"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("repository", "shop", 'the only repository where schedules run, as in "owner/name"'),
        ("repository", "a/b' || true || '", "the only repository where schedules run, as in "),
        ("repository", "a/b/c", "the only repository where schedules run, as in "),
        ("branch", "ma in", 'a branch, as in "main"'),
        ("branch", "-x", 'a branch, as in "main"'),
        ("environment", "${{ github.ref }}", "an environment of letters, digits, _, . and -, as "),
        ("secrets", "DATABASE_URL", 'a list of environment variables, as in ["DATABASE_URL"]'),
        ("secrets", ["A", "A"], "a list of environment variables, as in "),
        ("secrets", ["a-b"], "a list of environment variables, as in "),
        ("secrets", [1], "a list of environment variables, as in "),
        ("runner", 'x"', 'a label of a runner, as in "ubuntu-24.04"'),
        ("runner", ["self-hosted"], 'a label of a runner, as in "ubuntu-24.04"'),
        ("command", "./inv; true", 'words that no shell changes, as in "./inv" or '),
        ("command", "$HOME/inv", "words that no shell changes, as in "),
        ("command", "", "words that no shell changes, as in "),
        ("image", "shop latest", 'a container image, as in "registry.example/app:1.4"'),
        ("folder", "srv", 'an absolute path without spaces, as in "/srv/app"'),
        ("folder", "/srv/a b", 'an absolute path without spaces, as in "/srv/app"'),
        ("user", "0", 'a user of the server, as in "app"'),
        ("mail", "a@b\nMAILTO=c", 'an address, as in "ops@example.org"'),
        ("mail", "é", 'an address, as in "ops@example.org"'),
        ("mail", True, 'an address, as in "ops@example.org"'),
    ],
)
def test_bad_value_is_one_line(tmp_path, key, value, allowed):
    """Nothing passes that the shell, YAML or an expression of GitHub would read in its own way."""
    with pytest.raises(ConfigError) as error:
        read_schedule(tmp_path, {key: value})
    message = str(error.value)
    assert message.startswith(f"{tmp_path}: {TABLE}.{key} = {value!r} is not {allowed}")
    assert "\n" not in message


def test_unknown_key_is_one_line(tmp_path):
    """With the nearest of those that there are."""
    with pytest.raises(ConfigError) as error:
        read_schedule(tmp_path, {"repo": "a/b"})
    assert str(error.value).startswith(f"{tmp_path}: {TABLE}.repo is not a known key; allowed: ")
    with pytest.raises(ConfigError, match=r"\.secret is not a known key; nearest: secrets, "):
        read_schedule(tmp_path, {"secret": "app"})
