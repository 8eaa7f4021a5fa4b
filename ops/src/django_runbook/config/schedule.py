"""`[tool.django-runbook.schedule]`: where jobs run by the clock."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django_runbook.config import rules
from django_runbook.config.keys import TABLE, key, read


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Where jobs run by the clock, as ``[tool.django-runbook.schedule]`` says."""

    repository: str | None = key(
        rules.text(
            r"[\w-]+/[\w.-]+", 'the only repository where schedules run, as in "owner/name"'
        ),
        "The repository on GitHub whose workflows run the jobs; no copy of it does.",
        default=None,
    )
    branch: str = key(
        rules.text(r"\w[\w./-]*", 'a branch, as in "main"'),
        "The branch on which GitHub runs schedules: the default one.",
        default="main",
    )
    environment: str = key(
        rules.text(
            r"\w[\w.-]*",
            'an environment of letters, digits, _, . and -, as in "production"',
        ),
        "The environment on GitHub that holds the secrets.",
        default="production",
    )
    secrets: tuple[str, ...] = key(
        rules.VARIABLES,
        "The environment variables that the settings need and that are secret.",
        default=("DATABASE_URL", "SECRET_KEY"),
    )
    runner: str = key(
        rules.text(r"\w[\w.-]*", 'a label of a runner, as in "ubuntu-24.04"'),
        "The label of GitHub's machine.",
        default="ubuntu-24.04",
    )
    command: str = key(
        rules.text(
            r"[\w./=-]+( [\w./=-]+)*",
            'words that no shell changes, as in "./inv" or "uv run --frozen inv"',
        ),
        "What starts a task where the schedule runs.",
        default="./inv",
    )
    image: str | None = key(
        rules.text(r"[\w][\w.:/@-]*", 'a container image, as in "registry.example/app:1.4"'),
        "The container image for Kubernetes.",
        default=None,
    )
    folder: str | None = key(
        rules.text(r"/[\w./-]*", 'an absolute path without spaces, as in "/srv/app"'),
        "Where the repository is on the server, for systemd and crontab; where it is here if left "
        "out.",
        default=None,
    )
    user: str = key(
        rules.text(r"[a-z_][a-z0-9_-]*", 'a user of the server, as in "app"'),
        "The user of the server that runs the jobs, for systemd and crontab.",
        default="app",
    )
    mail: str = key(
        rules.text(r"[\w.+-]+(@[\w.-]+)?", 'an address, as in "ops@example.org"'),
        "Who gets what a job prints when it fails, for systemd and crontab.",
        default="root",
    )

    @property
    def app(self) -> str:
        """What the secrets of the jobs are called outside of GitHub."""
        name = (self.repository or "jobs").rpartition("/")[2]
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "jobs"


def read_schedule(file: Path, value: Any) -> Schedule:
    """Return the schedule. Raises ``ConfigError`` for its first key that breaks its rule."""
    return Schedule(**read(file, f"{TABLE}.schedule", value, Schedule))
