"""Asks every declared environment what it has applied."""

import datetime
from collections.abc import Mapping
from pathlib import Path

from ops.config import Config
from ops.schema.errors import MigrationsError
from ops.schema.squashing.environments import Environment, asked, listed

DECLARE = (
    "Declare them in pyproject.toml, as in [tool.ops.environments] "
    'production = "PRODUCTION_DATABASE_URL"'
)


def everywhere(
    config: Config | None, lists: Mapping[str, Path], *, none: bool, now: datetime.datetime
) -> tuple[list[Environment], list[str]]:
    """Return what each environment has, and a line for each that cannot be asked.

    One that has a list in ``lists`` is not asked. ``none``: somebody knows that there is no
    environment. Raises ``MigrationsError`` where that is wrong, and where none is declared.
    """
    declared = config.environments if config else {}
    if unknown := sorted(set(lists) - set(declared)):
        raise MigrationsError(
            f"'{unknown[0]}' is no declared environment"
            f"{': ' + ', '.join(declared) if declared else ''}. {DECLARE}."
        )
    if declared and none:
        raise MigrationsError(
            f"--no-environments contradicts [tool.ops.environments]: {', '.join(declared)}."
        )
    if not declared and not none:
        raise MigrationsError(
            "No environment is declared, so nobody can tell whether all have recorded the squash. "
            f"{DECLARE}, or add --no-environments where there is none."
        )
    found: list[Environment] = []
    problems: list[str] = []
    for name, variable in declared.items():
        try:
            if name in lists:
                found.append(listed(name, lists[name], now=now))
            else:
                assert config is not None  # noqa: S101  # for the type checker
                found.append(asked(name, variable, root=config.root))
        except MigrationsError as error:
            problems.append(str(error))
    return found, problems
