"""The run around a command: named in its environment, and used only where it is truly its own."""

import datetime
import uuid
from dataclasses import dataclass, replace
from typing import Any

from django_runbook.jobs.ledger.runs import Order
from django_runbook.jobs.models import Run, Status
from django_runbook.text.cleaning import cut, one_line

#: The run that a command belongs to, in its environment: ``12:`` and its random token.
INSIDE = "RUNBOOK_RUN"
#: The slot of that run; empty where it has none.
SLOT = "RUNBOOK_SLOT"
NAMES = (INSIDE, SLOT)
LONGEST = 60  # characters of a value that is none, when it is told of

#: The tokens of the runs that this process has used: each is used once.
_used: set[uuid.UUID] = set()


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is around a command: the ``run`` that it may use; else ``note`` says why there is none.

    ``note`` is empty where nothing is strange: the run is another job's, or has its rows already.
    ``alone`` is the same job's run, which holds what its runs share, such as a lease.
    """

    run: Run | None = None
    alone: Run | None = None
    note: str = ""


def environment(run: Run) -> dict[str, str]:
    """Return what tells a command which run it belongs to, and for which slot (ISO 8601, UTC)."""
    slot = run.slot.astimezone(datetime.UTC).isoformat() if run.slot else ""
    return {INSIDE: f"{run.pk}:{run.token}", SLOT: slot}


def around(job: str, order: Order) -> Around:
    """Return the run that an order of this job may use: it runs, has no change yet, and is its own.

    The random token says which run it is: a number may be another database's, or an earlier one's.
    """
    if not order.inside:
        return Around()
    number, _, token = order.inside.partition(":")
    try:
        run = Run.objects.filter(token=uuid.UUID(token)).first()
    except ValueError:
        said = cut(one_line(order.inside), LONGEST)
        return _strange(job, f"{INSIDE} is '{said}', which names no run")
    if run is None:
        said = cut(one_line(number), LONGEST)
        return _strange(job, f"the ledger has no such run {said} ({INSIDE})")
    if run.status != Status.RUNNING:
        return _strange(job, f"run {run.pk}, which {INSIDE} names, has ended")
    if run.job != job:
        return Around()
    free = not run.model and run.token not in _used
    return Around(run=run if free else None, alone=run)


def within(job: str, order: Order) -> Order:
    """Return an order with the slot and the allowance of the run that it may use."""
    run = around(job, order).run
    if run is None:
        return order
    order = replace(order, slot=run.slot)
    if order.allow is None and run.allow is not None:
        order = replace(order, allow=run.allow, reason=run.allow_reason)
    return order


def adopt(run: Run, order: Order, values: dict[str, Any]) -> bool:
    """Write into a run what the command around it could not know; tell whether it was still free.

    Of two that come at once, one gets it.
    """
    values = {**values, "allow": order.allow, "allow_reason": order.reason}
    values["parameters"] = {**run.parameters, **values.get("parameters", {})}
    if order.covers is not None:
        values["covers"] = order.covers
    free = Run.objects.filter(token=run.token, status=Status.RUNNING, model="")
    if not free.update(**values):
        return False
    _used.add(run.token)
    for name, value in values.items():
        setattr(run, name, value)
    return True


def _strange(job: str, why: str) -> Around:
    return Around(note=f"{job} has a run of its own: {why}.")
