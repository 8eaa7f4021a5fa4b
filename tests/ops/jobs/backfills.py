"""Backfills that are killed before each of their statements, and put back: started as a script."""

import json
import os
import sys
from collections import Counter
from typing import Any

import django

from tests.commands import ROOT, Commands, Done
from tests.ops.jobs.forks import (
    adapt,
    any_time,
    careless,
    kill_at_each_statement,
)

COUNT = 5
JOB = "mark"


def start(commands: Commands, url: str, way: str) -> Done:
    """Start this file as a script on a database, and wait for its end."""
    return commands.run(
        sys.executable,
        __file__,
        way,
        DATABASE_URL=url,
        DJANGO_SETTINGS_MODULE="project.settings",
        PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'backend'}",
    )


def registered(way: str) -> Any:
    """Register a job that puts a mark behind each last name, in one of these ways."""
    from django.db.models import F, Value
    from django.db.models.functions import Concat

    from django_runbook.jobs import Transition, register
    from users.models import User

    def mark(rows: Any) -> None:
        for row in rows:
            row.last_name += "!"

    marked = {"last_name": Concat(F("last_name"), Value("!"))}
    ways: dict[str, dict[str, Any]] = {
        "expression": {"to": marked},
        "fill": {"fill": mark, "fields": ("last_name",)},
        "once": {"to": marked, "once": True},
    }
    rows = User.objects.filter(username__startswith="marked")
    due = rows if way == "once" else rows.exclude(last_name__endswith="!")
    return register(Transition(job=JOB, due=lambda _cutoff: due, **ways[way]))


def names() -> list[str]:
    """Return the last names in the order of the keys."""
    from users.models import User

    return list(User.objects.order_by("pk").values_list("last_name", flat=True))


def told() -> list[str]:
    """Say what the ledger tells of its rows that is not so."""
    from django_runbook.jobs.models import Batch
    from tests.ops.jobs import books

    wrong = books.unbalanced()
    times: Counter[int] = Counter()
    for batch in Batch.objects.filter(run__undoes=None):
        times.update(batch.ids)
        for old, new in zip(batch.old, batch.new, strict=True):
            if new != [f"{old[0]}!"]:
                wrong.append(f"{batch}: {old} -> {new}")
    return wrong + [f"{key}: {count} times" for key, count in times.items() if count > 1]


def go() -> dict[str, Any]:
    """Run the job; say how it came out, and what the refusal was where it is done already."""
    from django_runbook.jobs import RefusedError, run_transition
    from django_runbook.jobs.registry import transitions
    from tests.ops.jobs.books import NOW

    try:
        done = run_transition(transitions()[JOB], now=NOW, as_of=NOW)
    except RefusedError as refusal:
        return {"refused": "has changed each row once" in str(refusal)}
    return {"status": done.status}


def put_back() -> list[str]:
    """Undo all runs, the newest first; return the names."""
    from django_runbook.jobs.batches.undo.undo_run import undo_run
    from django_runbook.jobs.models import Run

    for run in Run.objects.filter(undoes=None, changed__gt=0).order_by("-pk"):
        undo_run(run.pk)
    return names()


def sweep(way: str) -> None:
    """Kill a run before each of its statements; run again, look into the books, put all back.

    Prints a JSON list: a statement, the facts afterwards, the next statement, ...
    """
    from django_runbook.jobs.models import Run
    from tests.ops.jobs import books
    from users.models import User

    adapt()
    any_time()
    registered(way)
    for number in range(COUNT):
        User.objects.create(username=f"marked{number}", last_name=f"name {number}")
    before = names()

    def clear() -> None:
        Run.objects.update(undoes=None, continues=None)
        Run.objects.all().delete()
        User.objects.update(last_name="")
        for number, user in enumerate(User.objects.order_by("pk")):
            User.objects.filter(pk=user.pk).update(last_name=f"name {number}")

    def again() -> None:
        torn = told()
        books.let_time_pass()
        facts: dict[str, Any] = {"again": go(), "told": [*torn, *told()], "names": names()}
        facts["right"] = facts.pop("names") == [f"{name}!" for name in before]
        facts["put back"] = put_back() == before
        print(json.dumps(facts), end=", ")
        clear()

    go()  # what is imported and compiled here is not so in each fork
    put_back()
    clear()
    kill_at_each_statement(go, again)


if __name__ == "__main__":
    django.setup()
    careless()
    sweep(sys.argv[1])
