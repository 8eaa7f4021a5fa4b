"""Every key of the configuration, for the documentation: made from where the keys are declared."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from django_runbook.config.jobs import Job, JobsTable
from django_runbook.config.keys import TABLE, keys
from django_runbook.config.notify import Notify
from django_runbook.config.project import VARIABLE, Keys
from django_runbook.config.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the reference: a key of a table, with its default as TOML spells it."""

    table: str
    key: str
    default: str
    allowed: str
    says: str


ENVIRONMENTS = Entry(
    table=f"{TABLE}.environments",
    key="NAME",
    default="",
    allowed=VARIABLE.allowed,
    says="The variable with the address of the database of an environment that the code is "
    "deployed to.",
)


def reference() -> list[Entry]:
    """Return every key that there is, with its default, what is allowed, and what it means."""
    return [
        *_entries(TABLE, Keys),
        ENVIRONMENTS,
        *_entries(f"{TABLE}.jobs", JobsTable),
        *_entries(f"{TABLE}.jobs.NAME", Job),
        *_entries(f"{TABLE}.schedule", Schedule),
        *_entries(f"{TABLE}.notify", Notify),
    ]


def _entries(name: str, table: type) -> list[Entry]:
    """Return the lines of a table that is declared as a dataclass."""
    defaults = {each.name: each.default for each in dataclasses.fields(table)}
    return [
        Entry(
            table=name,
            key=key,
            default=_as_toml(defaults[key]),
            allowed=known.rule.allowed,
            says=known.says,
        )
        for key, known in keys(table).items()
    ]


def _as_toml(value: Any) -> str:
    """Return a default as a person would write it; nothing for a key that may be left out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    return f"{value}"
