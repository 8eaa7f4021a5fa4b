"""`[tool.ops.schedule]` of pyproject.toml as a frozen dataclass. Standard library only."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.job_config import Rules, is_variable, require_rules

TABLE = "tool.ops.schedule"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Where jobs run by the clock, as ``[tool.ops.schedule]`` says, with the defaults.

    On GitHub they run in ``repository`` alone, on its ``branch``, on a ``runner``, in an
    ``environment`` that holds ``secrets``: the variables that the settings need. Elsewhere they run
    from ``image`` (Kubernetes), or from ``folder``, as ``user``, with mail to ``mail`` (systemd and
    crontab); no ``folder`` is that of the repository. ``command`` starts a task of the kit.
    """

    repository: str | None = None
    branch: str = "main"
    environment: str = "production"
    secrets: tuple[str, ...] = ("DATABASE_URL", "SECRET_KEY")
    runner: str = "ubuntu-24.04"
    command: str = "./inv"
    image: str | None = None
    folder: str | None = None
    user: str = "app"
    mail: str = "root"

    @property
    def app(self) -> str:
        """What the secrets of the jobs are called outside of GitHub."""
        name = (self.repository or "jobs").rpartition("/")[2]
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "jobs"


def read_schedule(file: Path, value: Any) -> Schedule:
    """Return the schedule. Raises ``ConfigError`` for its first key that breaks its rule."""
    values: dict[str, Any] = {
        key: tuple(given) if isinstance(given, list) else given
        for key, given in require_rules(file, TABLE, value, RULES).items()
    }
    return Schedule(**values)


def _text(pattern: str) -> Callable[[Any], bool]:
    """Return a check for a text; what a file of a scheduler could misread does not pass."""
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value, re.ASCII))


def _are_variables(value: Any) -> bool:
    """Tell whether these can be names of environment variables, each once."""
    return isinstance(value, list) and all(map(is_variable, value)) and _differ(value)


def _differ(words: list[str]) -> bool:
    return len(set(words)) == len(words)


RULES: Rules = {
    "repository": (
        _text(r"[\w-]+/[\w.-]+"),
        'the only repository where schedules run, as in "owner/name"',
    ),
    "branch": (_text(r"\w[\w./-]*"), 'a branch, as in "main"'),
    "environment": (
        _text(r"\w[\w.-]*"),
        'an environment of letters, digits, _, . and -, as in "production"',
    ),
    "secrets": (_are_variables, 'a list of environment variables, as in ["DATABASE_URL"]'),
    "runner": (_text(r"\w[\w.-]*"), 'a label of a runner, as in "ubuntu-24.04"'),
    "command": (
        _text(r"[\w./=-]+( [\w./=-]+)*"),
        'words that no shell changes, as in "./inv" or "uv run --frozen inv"',
    ),
    "image": (
        _text(r"[\w][\w.:/@-]*"),
        'a container image, as in "registry.example/app:1.4"',
    ),
    "folder": (_text(r"/[\w./-]*"), 'an absolute path without spaces, as in "/srv/app"'),
    "user": (_text(r"[a-z_][a-z0-9_-]*"), 'a user of the server, as in "app"'),
    "mail": (_text(r"[\w.+-]+(@[\w.-]+)?"), 'an address, as in "ops@example.org"'),
}
