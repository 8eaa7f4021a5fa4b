"""Reads settings from the environment and `.env`, strictly.

django-environ parses; what it lets pass is refused here: to it ``DEBUG=maybe`` is false, and a key
that begins with ``$`` is the name of another variable.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Never

from django.core.exceptions import ImproperlyConfigured
from environ import Env

TRUE = ("true", "on", "yes", "1")
FALSE = ("false", "off", "no", "0")
ENGINES = ("postgres", "sqlite", "mysql")
FIRST_STEP = "'./inv db.migrate' makes a .env for development; a server sets it in its environment"


class Environment:
    """Variables of the process, and below them those of one ``.env`` file.

    Every reader raises ``ImproperlyConfigured`` with one line: the variable, its value unless it
    may be a secret, where it came from, and what is allowed.
    """

    def __init__(self, process: Mapping[str, str], file: Path) -> None:
        self._process = process
        self._file = file
        self._values = {**_read(file), **process}

    def text(self, name: str, default: str | None = None) -> str:
        """Return the value as it stands; without a default it must be set and not be empty."""
        value = self._values.get(name) or default
        if value is None:
            raise ImproperlyConfigured(f"{name} is not set: {FIRST_STEP}.")
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._values.get(name, "").strip().lower()
        if not value:
            return default
        if value not in TRUE + FALSE:
            self._refuse(name, "use true or false")
        return value in TRUE

    def integer(self, name: str, *, default: int, at_least: int = 0) -> int:
        """Return a whole number that is not below ``at_least``."""
        value = self._values.get(name, "").strip()
        if not value:
            return default
        if not re.fullmatch(r"-?\d{1,9}", value, re.ASCII) or int(value) < at_least:
            self._refuse(name, f"use a whole number from {at_least} up")
        return int(value)

    def words(self, name: str, default: Iterable[str] = ()) -> list[str]:
        """Return a comma-separated list, without the spaces around its words."""
        value = self._values.get(name, "")
        return [word.strip() for word in value.split(",") if word.strip()] or list(default)

    def database(self, name: str, *, root: Path) -> dict[str, Any]:
        """Return Django's settings for a database URL; an SQLite path is relative to ``root``.

        PostgreSQL's ``?host=`` and ``?port=`` move to HOST and PORT, which dbshell reads as well.
        """
        try:
            url = Env.db_url_config(self.text(name)) if "://" in self.text(name) else {}
        except ValueError:
            url = {}
        engine = url.get("ENGINE", "")
        if not engine.startswith("django.") or not url.get("NAME"):
            schemes = ", ".join(f"{engine}://" for engine in ENGINES)
            self._refuse(name, f"use one of {schemes} followed by host and name", secret=True)
        options = url.setdefault("OPTIONS", {})
        for option in ("host", "port"):
            if option in options:
                url[option.upper()] = options.pop(option)
        if engine.endswith("sqlite3"):
            if url["NAME"] != ":memory:":
                url["NAME"] = str(root / url["NAME"])
            # BEGIN IMMEDIATE: a deferred read-then-write fails at once, whatever the timeout.
            options.setdefault("transaction_mode", "IMMEDIATE")
            options.setdefault("timeout", 20)
        return url

    def _refuse(self, name: str, allowed: str, *, secret: bool = False) -> Never:
        source = "the environment" if name in self._process else str(self._file)
        value = "" if secret else f" '{self._values[name]}'"
        raise ImproperlyConfigured(f"{name}{value} (from {source}) is not valid: {allowed}.")


def _read(file: Path) -> dict[str, str]:
    """Return the variables of a ``.env`` file; an absent file has none."""
    try:
        if not file.is_file():
            return {}
        text = file.read_text("utf-8")
    except OSError as error:
        raise ImproperlyConfigured(
            f"{file} cannot be read: {error.strerror}. Check who may read it."
        ) from error
    except UnicodeDecodeError as error:
        at = error.object[: error.start].count(b"\n") + 1
        raise ImproperlyConfigured(
            f"{file}, line {at}: a byte that is not UTF-8. Save the file as UTF-8."
        ) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line and not line.startswith("#") and not re.match(r"(export )?\w+=", line):
            raise ImproperlyConfigured(f"{file}, line {number}: write NAME=value, or begin with #.")

    class Reader(Env):  # type: ignore[misc]  # django-environ has no type hints
        ENVIRON: ClassVar[dict[str, str]] = {}  # instead of os.environ, which children inherit

    Reader.read_env(os.fspath(file))
    return Reader.ENVIRON
