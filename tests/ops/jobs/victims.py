"""Processes that are killed, or that run beside each other: started by tests as a script."""

import json
import os
import random
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import django

from tests.commands import ROOT, Commands, Done
from tests.ops.jobs.forks import (
    adapt,
    any_time,
    careless,
    ended,
    forked,
    kill_at_each_statement,
)


def start(commands: Commands, url: str, *argv: str) -> Done:
    """Start this file as a script on a database, and wait for its end."""
    return commands.run(
        sys.executable,
        __file__,
        *argv,
        DATABASE_URL=url,
        DJANGO_SETTINGS_MODULE="project.settings",
        PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'backend'}",
    )


def expire() -> dict[str, Any]:
    """Run the job for one slot; say how it came out."""
    from django_runbook.jobs.ledger.runs import Order
    from django_runbook.jobs.ledger.slots import SlotTakenError
    from tests.ops.jobs.books import NOW

    try:
        return run(Order(slot=NOW))
    except SlotTakenError as taken:
        return {"taken": taken.holder.status}


def run(order: Any = None) -> dict[str, Any]:
    """Run the job; say how it came out."""
    from accounts.services import expire_trials
    from tests.ops.jobs.books import NOW

    done = expire_trials(now=NOW, order=order)
    return {"status": done.status, "left": done.left, "continues": bool(done.continues)}


def undo() -> dict[str, Any]:
    """Undo the first run; say how it came out."""
    from django_runbook.jobs.batches.undo.undo_run import undo_run
    from django_runbook.jobs.models import Run

    done = undo_run(Run.objects.filter(undoes=None).earliest("pk").pk)
    return {"status": done.status, "left": done.left}


def sweep(what: str, overlap: str = "share") -> None:
    """Kill a run before each of its statements; each time, run again and look into the books.

    Prints a JSON list: a statement, the facts afterwards, the next statement, ...
    """
    from django_runbook.jobs.models import Run
    from tests.ops.jobs import books

    work = {"expire": expire, "undo": undo}[what]
    adapt(overlap=overlap)

    def prepare() -> None:
        books.set_back()
        if what == "undo":
            expire()

    def again() -> None:
        torn = books.unbalanced()
        books.let_time_pass()
        facts = {"again": work(), **books.facts(torn)}
        facts["runs"] = list(Run.objects.order_by("pk").values_list("status", flat=True))
        print(json.dumps(facts), end=", ")
        prepare()

    books.stage(5)
    prepare()
    work()  # what is imported and compiled here is not so in each fork
    prepare()
    kill_at_each_statement(work, again)


def shoot(times: str) -> None:
    """Kill one of two runs at random instants, then let one come to its end; print the facts."""
    from tests.ops.jobs import books

    adapt(20)
    books.stage(20_000)
    pids: list[int] = []
    codes = []
    for _ in range(int(times)):
        pids += [forked(run) for _ in range(2 - len(pids))]
        time.sleep(random.uniform(0.01, 0.15))
        os.kill(pids[0], signal.SIGKILL)
        codes.append(ended(pids.pop(0)))
    os.kill(pids[0], signal.SIGKILL)
    ended(pids[0])
    before = books.statuses()
    books.let_time_pass()
    facts = {"last": run(), **books.facts()}
    print(json.dumps({"killed": codes.count(-signal.SIGKILL), "before": before, **facts}))


def together(runners: str, rows: str, size: str, overlap: str = "share") -> None:
    """Run the command this often at once, while accounts pay; print how each run came out."""
    from django_runbook.jobs.models import Run
    from tests.ops.jobs import books

    books.stage(int(rows))
    adapt(int(size), overlap=overlap)
    with tempfile.TemporaryDirectory() as folder:
        payers, files = [[Path(folder, f"{what}{n}") for n in range(int(runners))] for what in "pr"]
        go, over = Path(folder, "go"), Path(folder, "over")
        pids = [forked(partial(pay, over, file)) for file in payers[:2]]
        running = [forked(partial(command, go, file)) for file in files]
        time.sleep(0.2)
        go.touch()
        codes = [ended(pid) for pid in running]
        over.touch()
        codes += [ended(pid) for pid in pids]
        payments = sum(int(file.read_text()) for file in payers[:2])
        told = [json.loads(file.read_text()) for file in files]
    counts = dict(Run.objects.values_list("pk", "changed"))
    facts = {"told": told, "counts": counts, **books.facts()}
    print(json.dumps({"codes": codes, "payments": payments, **facts}))


def command(go: Path, file: Path) -> None:
    """Run the command at the time of the books, when it is time to go; write down its JSON."""
    import time_machine
    from django.core.management import CommandError, call_command

    from tests.ops.jobs.books import NOW

    while not go.exists():
        time.sleep(0.001)
    with file.open("w") as out, time_machine.travel(NOW, tick=True):
        try:
            call_command("expire_trials", "--json", stdout=out)
        except CommandError as error:
            out.write(json.dumps({"code": error.returncode, "error": str(error)}))


def pay(over: Path, file: Path) -> None:
    """Let accounts that are due pay, one by one, until all is over; write down how many did."""
    from accounts.models import Account, Status
    from tests.ops.jobs.books import DAY, OVER

    paid = 0
    keys = list(Account.objects.filter(created__lt=OVER + DAY).values_list("pk", flat=True))
    while not over.exists():
        trial = Account.objects.filter(pk=random.choice(keys), status=Status.TRIALING)
        paid += trial.update(status=Status.ACTIVE)
        time.sleep(0.002)
    file.write_text(str(paid))


if __name__ == "__main__":
    django.setup()
    careless()
    any_time()
    {"sweep": sweep, "shoot": shoot, "together": together}[sys.argv[1]](*sys.argv[2:])
