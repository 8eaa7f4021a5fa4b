"""Names of apps and migrations for tab completion, from the files: Django is too slow for a key."""

from pathlib import Path

from invoke import Collection

from django_runbook.config import ConfigError, load


def names(typed: str, collection: Collection) -> list[str]:
    """Return what may stand next on a line such as ``inv db.migrate us``; empty: ask Invoke.

    Apps are the project's own, with a ``migrations`` package below the folder of manage.py.
    """
    words = typed.split(" ")[1:]
    tasks = [index for index, word in enumerate(words) if word in collection.task_names]
    if not tasks or words[-1].startswith("-"):
        return []
    task = collection[words[tasks[-1]]]
    operands = getattr(task, "operands", ())
    given = [word for word in words[tasks[-1] + 1 : -1] if not word.startswith("-")]
    if "app_label" not in operands:
        return []
    try:
        apps = migrations(Path(collection.configuration()["runbook"]["root"]))
    except ConfigError:
        return []  # the task itself will say what is wrong
    if not given or "app_label" in task.iterable:
        return sorted(apps)
    return sorted(apps.get(given[0], ())) if len(given) < len(operands) else []


def migrations(root: Path) -> dict[str, list[str]]:
    """Return the migrations of each app of the project."""
    folder = load(root).manage.parent
    found: dict[str, list[str]] = {}
    for file in folder.glob("*/migrations/*.py"):
        names_ = found.setdefault(file.parts[-3], [])
        if file.stem != "__init__":
            names_.append(file.stem)
    return found
