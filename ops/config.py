"""`[tool.ops]` of pyproject.toml as frozen dataclasses. Standard library only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ops.job_config import ConfigError, Job, is_variable, read_job, require_table, spelt
from ops.schedule_config import Schedule, read_schedule

__all__ = ["Config", "ConfigError", "Job", "Schedule", "find_root", "load"]

MANAGE = "backend/manage.py"
KEYS = ("manage", "protected")
TABLES = ("environments", "jobs", "schedule")
VARIABLE = 'an environment variable, as in production = "PRODUCTION_DATABASE_URL"'


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where the kit finds things, with absolute paths, what it guards, what runs when and where.

    ``environments`` are the databases that the code is deployed to: a name, and the environment
    variable that holds the address, which is a secret.
    """

    root: Path
    manage: Path
    protected: frozenset[str]
    jobs: Mapping[str, Job] = field(default_factory=lambda: MappingProxyType({}))
    schedule: Schedule = field(default_factory=Schedule)
    environments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def job(self, name: str) -> Job:
        """Return the declared job, or one with the defaults and no schedule."""
        return self.jobs.get(name) or Job(name=name)


def find_root(start: Path) -> Path | None:
    """Return the nearest folder at or above ``start`` whose pyproject.toml has ``[tool.ops]``.

    Raises ``ConfigError`` for a pyproject.toml on the way that cannot be read: it could be the one.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and "ops" in _tool(file):
            return folder
    return None


@cache
def load(root: Path) -> Config:
    """Read the pyproject.toml in ``root``; without ``[tool.ops]`` the defaults hold.

    Raises ``ConfigError`` for a file that cannot be read, an unknown key, and a bad value.
    """
    file = root / "pyproject.toml"
    table = require_table(file, "tool.ops", _tool(file).get("ops", {}))
    if unknown := sorted(set(table) - {*KEYS, *TABLES}):
        raise ConfigError(
            f"{file}: tool.ops.{spelt(unknown[0])} is not a known key; "
            f"allowed: {', '.join(KEYS)}. A job is a table, as in [tool.ops.jobs.expire_trials]."
        )
    jobs = require_table(file, "tool.ops.jobs", table.get("jobs", {}))
    return Config(
        root=root,
        manage=_manage(file, table.get("manage", MANAGE)),
        protected=frozenset({"production", *_names(file, table.get("protected", []))}),
        jobs=MappingProxyType({name: read_job(file, name, value) for name, value in jobs.items()}),
        schedule=read_schedule(file, table.get("schedule", {})),
        environments=MappingProxyType(_environments(file, table.get("environments", {}))),
    )


def _tool(file: Path) -> dict[str, Any]:
    """Return ``[tool]`` of a pyproject.toml."""
    import tomllib  # here, so that listing the tasks does not pay for it

    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    return require_table(file, "tool", content.get("tool", {}))


def _manage(file: Path, value: Any) -> Path:
    """Return the path of manage.py, which must be there."""
    path = file.parent / value if isinstance(value, str) else None
    if path is None or not path.is_file():
        raise ConfigError(
            f"{file}: tool.ops.manage = {value!r} is not a file. "
            f'Name the project\'s manage.py, as in manage = "{MANAGE}".'
        )
    return path


def _names(file: Path, value: Any) -> list[str]:
    """Return the environments that are protected beside production."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ConfigError(
            f"{file}: tool.ops.protected = {value!r} is not a list of environments, "
            'as in protected = ["staging"].'
        )
    return value


def _environments(file: Path, value: Any) -> dict[str, str]:
    """Return the variable of each environment's database; an address is never repeated."""
    table = "tool.ops.environments"
    variables = require_table(file, table, value if isinstance(value, dict) else [])
    for name, variable in variables.items():
        key = f"{table}.{spelt(name)}"
        if not re.fullmatch(r"\w[\w-]*", name, re.ASCII):
            raise ConfigError(f"{file}: {key} is no name; allowed: letters, digits, _ and -.")
        if "://" in str(variable):
            raise ConfigError(
                f"{file}: {key} is an address, which is a secret: keep it in {VARIABLE}, "
                "and name that."
            )
        if not is_variable(variable):
            shown = f" = {variable!r}" if str(variable).isidentifier() else ""
            raise ConfigError(f"{file}: {key}{shown} is not the name of {VARIABLE}.")
    return variables
