"""`[tool.ops]` of pyproject.toml as a frozen dataclass. Standard library only."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

MANAGE = "backend/manage.py"
KEYS = {"manage", "protected"}


class ConfigError(Exception):
    """`[tool.ops]` is wrong. The message names the file, the key, the value and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where the kit finds things, with absolute paths, and which environments it guards."""

    root: Path
    manage: Path
    protected: frozenset[str]


@cache
def load(root: Path) -> Config:
    """Read the pyproject.toml in ``root``; without ``[tool.ops]`` the defaults hold.

    Raises ``ConfigError`` for a file that cannot be read, an unknown key, and a bad value.
    """
    import tomllib  # here, so that listing the tasks does not pay for it

    file = root / "pyproject.toml"
    try:
        table = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("ops", {})
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    unknown = sorted(set(table) - KEYS)
    if unknown:
        allowed = ", ".join(sorted(KEYS))
        raise ConfigError(f"{file}: tool.ops.{unknown[0]} is not a known key; allowed: {allowed}.")
    return Config(
        root=root,
        manage=_manage(file, table.get("manage", MANAGE)),
        protected=frozenset({"production", *_names(file, table.get("protected", []))}),
    )


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
