"""A Django app that makes any management command a job: a ledger of its runs, guarded, undoable.

For a job of one's own, all of it from here (anything deeper may change without notice):

- ``Transition``, ``register``, ``Explanation``: which rows are due, and what becomes of them;
- ``Change``: what an earlier release did, for the ``undoes`` of a transition;
- ``run_transition`` and its ``Outcome``: do it; ``preview_transition``, its ``Preview`` and each
  ``Example`` in it: only look;
- ``Order``, ``Stop``, ``Watch``: for which slot and by whom, when to end, who looks on;
- ``TransitionCommand``: the base of a transition's management command; ``JobCommand``: of one
  that has a service of its own;
- ``RefusedError``, ``SlotTakenError``, ``SkippedError``, ``StoppedError``, ``FailedError``: how it
  can end.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_runbook.jobs.batches.loop import Watch
    from django_runbook.jobs.batches.preview import Example, Preview, preview_transition
    from django_runbook.jobs.batches.run_transition import Outcome, run_transition
    from django_runbook.jobs.batches.stopping import Stop
    from django_runbook.jobs.errors import FailedError, RefusedError, SkippedError, StoppedError
    from django_runbook.jobs.ledger.runs import Order
    from django_runbook.jobs.ledger.slots import SlotTakenError
    from django_runbook.jobs.management.base import JobCommand
    from django_runbook.jobs.management.transition import TransitionCommand
    from django_runbook.jobs.registry import Change, Explanation, Transition, register

__all__ = [
    "Change",
    "Example",
    "Explanation",
    "FailedError",
    "JobCommand",
    "Order",
    "Outcome",
    "Preview",
    "RefusedError",
    "SkippedError",
    "SlotTakenError",
    "Stop",
    "StoppedError",
    "Transition",
    "TransitionCommand",
    "Watch",
    "preview_transition",
    "register",
    "run_transition",
]

#: Imported when first asked for: Django loads this package before there are any models.
_WHERE = {
    "batches.loop": ("Watch",),
    "batches.preview": ("Example", "Preview", "preview_transition"),
    "batches.run_transition": ("Outcome", "run_transition"),
    "batches.stopping": ("Stop",),
    "errors": ("FailedError", "RefusedError", "SkippedError", "StoppedError"),
    "ledger.runs": ("Order",),
    "ledger.slots": ("SlotTakenError",),
    "management.base": ("JobCommand",),
    "management.transition": ("TransitionCommand",),
    "registry": ("Change", "Explanation", "Transition", "register"),
}


def __getattr__(name: str) -> Any:
    """Return a public name from the module that has it."""
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
