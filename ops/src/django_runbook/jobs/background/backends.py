"""Which of the project's task backends takes the jobs: of Django 6, or of django-tasks before it.

Both read ``TASKS`` of the settings. A backend that works inside the request is none: neither is
one that does nothing.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_runbook.config import ConfigError
from django_runbook.text.cleaning import one_line

LIBRARIES = ("django.tasks", "django_tasks")
#: The names that are looked for in ``TASKS``, and among the queues of a backend.
OWN, DEFAULT = "runbook", "default"
#: Modules and classes of a library, whose backends hand nothing to a worker.
NO_WORKER = (("immediate", "ImmediateBackend"), ("dummy", "DummyBackend"))


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The alias of a backend in ``TASKS``, and a queue that it accepts."""

    name: str
    queue: str


@dataclass(frozen=True)
class _Found:
    library: Any
    backend: Any
    at: Backend


def backend() -> Backend | None:
    """Return the backend that takes the jobs: the one named ``runbook``, else ``default``.

    None where there is none with workers, or no library for it. Raises ``ConfigError`` where the
    settings name one that cannot be loaded.
    """
    found = _found()
    return found.at if found else None


def as_task(function: Callable[..., Any]) -> Any:
    """Return a function of a module as a task of that backend; without one, the function."""
    found = _found()
    if found is None:
        return function
    return found.library.task(backend=found.at.name, queue_name=found.at.queue)(function)


def _found() -> _Found | None:
    declared = getattr(settings, "TASKS", None) or {}
    name = next((name for name in (OWN, DEFAULT) if name in declared), None)
    if name is None:
        return None
    for library in LIBRARIES:
        with suppress(ModuleNotFoundError):
            tasks = import_module(library)
            base = import_module(f"{library}.backends.base").BaseTaskBackend
            made = _made(tasks, name)
            if isinstance(made, base):
                return _working(library, tasks, made, name)
    return None


def _made(tasks: Any, name: str) -> Any:
    try:
        return tasks.task_backends[name]
    except ImproperlyConfigured as error:
        raise ConfigError(f"settings.TASKS[{name!r}]: {one_line(error)}") from error


def _working(library: str, tasks: Any, made: Any, name: str) -> _Found | None:
    for module, kind in NO_WORKER:
        if isinstance(made, getattr(import_module(f"{library}.backends.{module}"), kind)):
            return None
    return _Found(tasks, made, Backend(name=name, queue=_queue(made.queues)))


def _queue(queues: set[str]) -> str:
    """Return a queue among those that a backend accepts; without any it accepts every one."""
    if OWN in queues:
        return OWN
    return DEFAULT if not queues or DEFAULT in queues else min(queues)
