"""What may stand next on a command line, for tab completion: from files, as Django is too slow."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from invoke import Argument, Collection, ParseError

from django_runbook.config import ConfigError, load
from django_runbook.tasks.cli.reader import Reader

Apps = Mapping[str, Sequence[str]]
APP, MIGRATION = ("app_label", "app"), ("migration_name", "from", "to")
#: The label in an app's configuration, where it is not the folder's name.
LABEL = re.compile(r"""^[ \t]+label\s*(?::[^=\n]+)?=\s*["'](\w+)["']""", re.MULTILINE)
SKIPPED = ("node_modules", "site-packages", "__pycache__")


def names(line: Sequence[str], collection: Collection, reader: Reader) -> list[str]:
    """Return what may stand for the last word of a line such as ``inv db.migrate us``.

    The first word is the program. A shell keeps the names that begin as the word does, and looks
    for files where there are none.
    """
    words = [*line[1:]] or [""]
    *before, typed = joined = _joined(words)
    if "--" in before:
        return []  # another program's words
    option, equals, _value = typed.partition("=")
    given = option.startswith("--") and bool(equals)
    prefix = f"{option}=" if given and len(joined) == len(words) else ""
    try:
        for word in [*before, option] if given else before:
            reader.read(word)
    except ParseError:
        return []  # the program will say what is wrong
    if typed.startswith("-") and not given and not reader.option:
        return [*reader.flags(), *(["--help"] if reader.task else [])]
    wanted = reader.option or next(iter(reader.free), None)
    if wanted:
        return [prefix + value for value in _values(wanted, collection, reader.given)]
    tasks = collection.task_names
    return [] if given else sorted({*tasks, *(alias for each in tasks.values() for alias in each)})


def _joined(words: Sequence[str]) -> list[str]:
    """Return the words as they were typed: bash takes ``--name=value`` for three."""
    joined: list[str] = []
    for word in words:
        last = joined[-1] if joined else ""
        if last.startswith("--") and ((word == "=" and "=" not in last) or last.endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _values(wanted: Argument, collection: Collection, given: Mapping[str, str]) -> Sequence[str]:
    """Return the values that an option or an operand may have, where files can tell."""
    if wanted.name not in (*APP, *MIGRATION):
        return []
    try:
        found = migrations(load(Path(collection.configuration()["runbook"]["root"])).manage.parent)
    except ConfigError:
        return []  # the task itself will say what is wrong
    return sorted(found if wanted.name in APP else found.get(given.get("app_label", ""), ()))


def migrations(folder: Path) -> dict[str, list[str]]:
    """Return the migrations of each app below ``folder``, by the app's label.

    An app is what has a package ``migrations``. Virtual environments, packages of others and hidden
    folders are not entered.
    """
    found: dict[str, list[str]] = {}
    for app in _apps(folder):
        files = (file.stem for file in (app / "migrations").glob("*.py"))
        found[label(app)] = [
            name for name in files if re.fullmatch(r"\w+", name) and name[0] != "_"
        ]
    return {name: files for name, files in found.items() if name.isidentifier()}


def _apps(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each[0] != "." and each not in SKIPPED]
        if "pyvenv.cfg" in files:
            folders.clear()
        elif "migrations" in folders and Path(place, "migrations", "__init__.py").is_file():
            yield Path(place)


def label(app: Path) -> str:
    """Return the label of the app in a folder: what its ``apps.py`` declares, else its name."""
    try:
        declared = LABEL.search((app / "apps.py").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        declared = None
    return declared[1] if declared else app.name
