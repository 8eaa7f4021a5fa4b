"""A key of a table: its rule, its default and its sentence for the documentation, in one place."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

NAME = "django-runbook"
TABLE = f"tool.{NAME}"
#: Under this name a dataclass keeps a field's ``Key``.
KEY = "key"


class ConfigError(Exception):
    """The configuration is wrong. The message names file, key, value and what is allowed."""


class Rule(NamedTuple):
    """What a value may be: a check, and the words that say so.

    ``private`` values may be secrets by mistake, and are not repeated. ``meant`` is what the kit
    keeps of a value that fits.
    """

    fits: Callable[[Any], bool]
    allowed: str
    private: bool = False
    meant: Callable[[Any], Any] = lambda value: tuple(value) if isinstance(value, list) else value


class Key(NamedTuple):
    """A key's rule, and the sentence that the documentation says of it."""

    rule: Rule
    says: str


def key(rule: Rule, says: str, *, default: Any) -> Any:
    """Return a dataclass field that is a key of a table."""
    return field(default=default, metadata={KEY: Key(rule, says)})


def keys(table: type) -> dict[str, Key]:
    """Return the keys of a table that is declared as a dataclass, in their order."""
    return {
        each.name: each.metadata[KEY] for each in dataclasses.fields(table) if KEY in each.metadata
    }


def read(file: Path, name: str, value: Any, table: type) -> dict[str, Any]:
    """Return what a table says, as the kit keeps it.

    Raises ``ConfigError`` for the first key that is not known or breaks its rule.
    """
    values = require_table(file, name, value)
    known = keys(table)
    return {key: require(file, name, key, given, known) for key, given in values.items()}


def require(file: Path, name: str, key: str, value: Any, known: Mapping[str, Key]) -> Any:
    """Return the value of a key as the kit keeps it. Raises ``ConfigError`` where it cannot be."""
    if key not in known:
        import difflib  # here, so that listing the tasks does not pay for it

        near = ", ".join(difflib.get_close_matches(key, known))
        allowed = f"nearest: {near}" if near else f"allowed: {', '.join(known)}"
        raise ConfigError(f"{file}: {name}.{spelt(key)} is not a known key; {allowed}.")
    rule = known[key].rule
    if not rule.fits(value):
        raise ConfigError(f"{file}: {name}.{complaint(spelt(key), value, rule)}")
    return rule.meant(value)


def require_table(file: Path, name: str, value: Any) -> dict[str, Any]:
    """Return the value of a key. Raises ``ConfigError`` unless it is a table."""
    if not isinstance(value, dict):
        shown = "[…]" if isinstance(value, list) else repr(value)  # a list may hold a secret
        raise ConfigError(f"{file}: {name} = {shown} is not a table, as in [{name}].")
    return value


def complaint(key: str, value: Any, rule: Rule) -> str:
    """Return what is wrong with a value; what may be a secret address is not repeated."""
    if not rule.private:
        return f"{key} = {value!r} is not {rule.allowed}."
    if "://" in str(value):
        return f"{key} is an address, which is a secret: keep it in {rule.allowed}, and name that."
    shown = f" = {value!r}" if str(value).isidentifier() else ""
    return f"{key}{shown} is not the name of {rule.allowed}."


def spelt(key: str) -> str:
    """Return a key as TOML spells it, on one line."""
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else repr(key)
