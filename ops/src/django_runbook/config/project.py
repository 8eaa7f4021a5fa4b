"""`[tool.django-runbook]` of a pyproject.toml: found, read, and checked."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django_runbook.config import rules
from django_runbook.config.jobs import Job, JobsTable, read_job, require_apart
from django_runbook.config.keys import (
    NAME,
    TABLE,
    ConfigError,
    Rule,
    complaint,
    key,
    keys,
    require,
    require_table,
    spelt,
)
from django_runbook.config.notify import Notify, read_notify
from django_runbook.config.schedule import Schedule, read_schedule

MANAGE = "backend/manage.py"
TABLES = ("environments", "jobs", "notify", "schedule")
VARIABLE = rules.variable('an environment variable, as in production = "PRODUCTION_DATABASE_URL"')


def _are_names(value: Any) -> bool:
    """Tell whether this is a list of texts."""
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of the table itself, as they are written."""

    manage: str = key(
        Rule(lambda value: isinstance(value, str), f'a path, as in manage = "{MANAGE}"'),
        "Where the project's manage.py is, from the folder of the pyproject.toml.",
        default=MANAGE,
    )
    protected: tuple[str, ...] = key(
        Rule(_are_names, 'a list of environments, as in protected = ["staging"]'),
        "The environments, beside production, where what destroys asks for the database's name.",
        default=(),
    )
    unprotected: tuple[str, ...] = key(
        Rule(_are_names, 'a list of environments, as in unprotected = ["review"]'),
        "The environments, beside local, dev, test and demo, where nobody loses anything. One that "
        "stands in neither list is protected.",
        default=(),
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where the kit finds things, with absolute paths, what it guards, what runs when and where.

    ``environments`` are the databases that the code is deployed to: a name, and the environment
    variable that holds the address, which is a secret.
    """

    root: Path
    manage: Path
    protected: frozenset[str]
    unprotected: frozenset[str] = frozenset()
    jobs: Mapping[str, Job] = field(default_factory=lambda: MappingProxyType({}))
    schedule: Schedule = field(default_factory=Schedule)
    notify: Notify = field(default_factory=Notify)
    environments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: How many days the ledger keeps a run; None for all of them, for ever.
    keep_days: int | None = None

    def job(self, name: str) -> Job:
        """Return the declared job, or one with the defaults and no schedule."""
        return self.jobs.get(name) or Job(name=name)


def find_root(start: Path) -> Path | None:
    """Return the nearest folder at or above ``start`` whose pyproject.toml has the table.

    Raises ``ConfigError`` for a pyproject.toml on the way that cannot be read: it could be the one.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and NAME in _tool(file):
            return folder
    return None


@cache
def load(root: Path) -> Config:
    """Read the pyproject.toml in ``root``; without ``[tool.django-runbook]`` the defaults hold.

    Raises ``ConfigError`` for a file that cannot be read, an unknown key, and a bad value.
    """
    file = root / "pyproject.toml"
    table = require_table(file, TABLE, _tool(file).get(NAME, {}))
    own = {name: value for name, value in table.items() if name not in TABLES}
    if unknown := sorted(set(own) - set(keys(Keys))):
        raise ConfigError(
            f"{file}: {TABLE}.{spelt(unknown[0])} is not a known key; "
            f"allowed: {', '.join(keys(Keys))}. A job is a table, as in "
            f"[{TABLE}.jobs.expire_trials]."
        )
    jobs = dict(require_table(file, f"{TABLE}.jobs", table.get("jobs", {})))
    beside = {
        name: require(file, f"{TABLE}.jobs", name, jobs.pop(name), keys(JobsTable))
        for name in keys(JobsTable)
        if name in jobs
    }
    declared = {name: read_job(file, name, value) for name, value in jobs.items()}
    require_apart(file, declared)
    return Config(
        root=root,
        manage=_manage(file, own.get("manage", Keys.manage)),
        protected=frozenset({"production", *_names(file, "protected", own)}),
        unprotected=frozenset(_names(file, "unprotected", own)),
        jobs=MappingProxyType(declared),
        schedule=read_schedule(file, table.get("schedule", {})),
        notify=read_notify(file, table.get("notify", {})),
        environments=MappingProxyType(_environments(file, table.get("environments", {}))),
        **beside,
    )


def of_settings() -> Config | None:
    """Return the configuration above Django's settings, wherever a command was started.

    Without settings it is looked for above the current folder. None where no pyproject.toml has
    the table. Raises ``ConfigError`` with the key and the value where it is wrong.
    """
    module = sys.modules.get(os.environ.get("DJANGO_SETTINGS_MODULE", ""))
    root = find_root(Path(module.__file__).parent if module and module.__file__ else Path.cwd())
    return load(root) if root else None


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
            f"{file}: {TABLE}.manage = {value!r} is not a file. "
            f'Name the project\'s manage.py, as in manage = "{MANAGE}".'
        )
    return path


def _names(file: Path, key: str, table: Mapping[str, Any]) -> list[str]:
    """Return a list of environments, in the one spelling in which they are compared."""
    names: tuple[str, ...] = require(file, TABLE, key, table.get(key, []), keys(Keys))
    return [name.strip().casefold() for name in names]


def _environments(file: Path, value: Any) -> dict[str, str]:
    """Return the variable of each environment's database; an address is never repeated."""
    table = f"{TABLE}.environments"
    variables = require_table(file, table, value if isinstance(value, dict) else [])
    for name, variable in variables.items():
        key = f"{table}.{spelt(name)}"
        if not re.fullmatch(r"\w[\w-]*", name, re.ASCII):
            raise ConfigError(f"{file}: {key} is no name; allowed: letters, digits, _ and -.")
        if not VARIABLE.fits(variable):
            raise ConfigError(f"{file}: {complaint(key, variable, VARIABLE)}")
    return variables
