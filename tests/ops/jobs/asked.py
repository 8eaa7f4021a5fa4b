"""Runs that are asked for their end before each of their statements: started as a script."""

import gc
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import django

from tests.ops.jobs.forks import Killer, adapt, any_time, careless, ended, forked


class Asker(Killer):
    """Sends its own process a signal before the statement with this number."""

    def before(self, statement: str) -> None:
        """Count, and perhaps ask."""
        self.left -= 1
        if not self.left:
            print(json.dumps(statement[:60]), end=", ", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)


def expiry() -> Callable[..., Any]:
    """Return what runs the job for one slot."""
    from accounts.services import expire_trials
    from django_runbook.jobs.ledger.runs import Order
    from tests.ops.jobs.books import NOW

    return partial(expire_trials, now=NOW, order=Order(slot=NOW))


def undoing() -> Callable[..., Any]:
    """Return what undoes the first run."""
    from django_runbook.jobs.batches.undo.undo_run import undo_run
    from django_runbook.jobs.models import Run

    return partial(undo_run, Run.objects.filter(undoes=None).earliest("pk").pk)


def ask(prepared: Callable[[], Callable[..., Any]], number: int) -> None:
    """Do the work, and ask for its end before a statement; print how it came out."""
    from django_runbook.jobs.batches.stopping import Stop, on_signals

    work, stop = prepared(), Stop()
    asker = Asker(number)
    asker.install()
    with on_signals(stop):
        said = work(stop=stop).status
    if asker.left > 0:
        print(json.dumps("the end"), end=", ")
    print(json.dumps(said), end=", ", flush=True)
    os._exit(asker.left > 0)


def look(prepared: Callable[[], Callable[..., Any]]) -> None:
    """Print what the ledger says, and the facts after another run."""
    from django_runbook.jobs.ledger.runs import unfinished
    from django_runbook.jobs.ledger.slots import SlotTakenError
    from django_runbook.jobs.models import Lease, Run
    from tests.ops.jobs import books

    newest = Run.objects.order_by("pk").last()
    facts: dict[str, Any] = {
        "ledger": newest and newest.status,
        "reason": newest and newest.reason,
        "torn": books.unbalanced(),
        "leases": Lease.objects.count(),
        "goes on": bool(unfinished("expire_trials", books.NOW)),
    }
    try:
        again = prepared()()
        facts["again"] = {"status": again.status, "left": again.left}
    except SlotTakenError as taken:
        facts["again"] = {"taken": taken.holder.status}
    print(json.dumps({**facts, **books.facts()}), end=", ")


def sweep(what: str, overlap: str) -> None:
    """Print a JSON list: a statement, how the run came out, the facts, the next statement, ..."""
    from tests.ops.jobs import books

    prepared = {"expire": expiry, "undo": undoing}[what]
    adapt(overlap=overlap)

    def prepare() -> None:
        books.set_back()
        if what == "undo":
            expiry()()

    def again() -> None:
        look(prepared)
        prepare()

    books.stage(5)
    prepare()
    prepared()()  # what is imported and compiled here is not so in each fork
    prepare()
    gc.freeze()
    print("[", end="")
    for number in itertools.count(1):
        over = ended(forked(lambda: ask(prepared, number)))  # noqa: B023  # called at once
        assert ended(forked(again)) == 0
        if over:
            break
    print("0]")


if __name__ == "__main__":
    django.setup()
    careless()
    any_time()
    sweep(*sys.argv[1:])
