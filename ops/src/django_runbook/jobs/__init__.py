"""A Django app that makes any management command a job: a ledger of its runs, guarded, undoable.

For a job of one's own, all of it from here (anything deeper may change without notice):

- ``Transition``, ``register``, ``Explanation``: which rows are due, and from what to what they go;
- ``run_transition`` and its ``Outcome``: do it; ``preview_transition``, ``Preview``: only look;
- ``Order``, ``Stop``, ``Watch``: for which slot and by whom, when to end, who looks on;
- ``JobCommand``: the base of its management command;
- ``RefusedError``, ``SlotTakenError``, ``FailedError``: how it can end.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_runbook.jobs.batches.loop import Watch
    from django_runbook.jobs.batches.run_transition import (
        Outcome,
        Preview,
        preview_transition,
        run_transition,
    )
    from django_runbook.jobs.batches.stopping import Stop
    from django_runbook.jobs.errors import FailedError, RefusedError
    from django_runbook.jobs.ledger.runs import Order, SlotTakenError
    from django_runbook.jobs.management.base import JobCommand
    from django_runbook.jobs.registry import Explanation, Transition, register

__all__ = [
    "Explanation",
    "FailedError",
    "JobCommand",
    "Order",
    "Outcome",
    "Preview",
    "RefusedError",
    "SlotTakenError",
    "Stop",
    "Transition",
    "Watch",
    "preview_transition",
    "register",
    "run_transition",
]

#: Imported when first asked for: Django loads this package before there are any models.
_WHERE = {
    "batches.loop": ("Watch",),
    "batches.run_transition": ("Outcome", "Preview", "preview_transition", "run_transition"),
    "batches.stopping": ("Stop",),
    "errors": ("FailedError", "RefusedError"),
    "ledger.runs": ("Order", "SlotTakenError"),
    "management.base": ("JobCommand",),
    "registry": ("Explanation", "Transition", "register"),
}


def __getattr__(name: str) -> Any:
    """Return a public name from the module that has it."""
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
