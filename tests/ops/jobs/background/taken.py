"""A backend of Django's tasks that keeps what it is given, for tests without a worker."""

from importlib import import_module
from typing import Any, ClassVar

import django

LIBRARY = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
base = import_module(f"{LIBRARY}.base")
Base: Any = import_module(f"{LIBRARY}.backends.base").BaseTaskBackend
import_module(f"{LIBRARY}.backends.immediate")  # which lets the library see changed settings


class Takes(Base):
    """Keeps the queue and the arguments of each task."""

    taken: ClassVar[list[dict[str, Any]]] = []

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Keep it."""
        self.validate_task(task)
        self.taken.append({"backend": self.alias, "queue": task.queue_name, **kwargs})
        return base.TaskResult(
            task=task,
            id=str(len(self.taken)),
            status=base.TaskResultStatus.READY,
            enqueued_at=None,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )


class Refuses(Takes):
    """Is away."""

    def enqueue(self, *_: Any) -> Any:
        """Say so, in lines and with a password."""
        raise ConnectionError("no route to\nredis://me:hunter2@queue/0")


TAKES = f"{__name__}.Takes"
REFUSES = f"{__name__}.Refuses"
IMMEDIATE = f"{LIBRARY}.backends.immediate.ImmediateBackend"
DUMMY = f"{LIBRARY}.backends.dummy.DummyBackend"
