"""The Invoke side of the kit: one collection a file.

For a ``tasks.py``, all of it from here (anything deeper may change without notice):

- ``kit``: the collection with every task of the kit;
- ``task``: declares a task of one's own;
- ``process``: builds argument lists and starts processes;
- ``target``: which database and environment a task would touch.
"""

import os
import sys
from pathlib import Path

# Invoke switches it off, and every call would compile the kit anew.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

from invoke import Collection
from invoke.main import program

from django_runbook.tasks import (
    db,
    deps,
    dev,
    doctor,
    graph,
    jobs,
    manage,
    migrations,
    quality,
    readme,
    schedule,
)
from django_runbook.tasks.cli.declaration import task
from django_runbook.tasks.cli.program import KitProgram
from django_runbook.tasks.processes import process, target
from django_runbook.text import uncaught

__all__ = ["kit", "process", "target", "task"]

FALSE = ("false", "no", "off", "0")

if program.argv:  # Invoke's program is loading a tasks.py, and shows tracebacks
    sys.excepthook = uncaught.told


def kit(root: Path, *, dotenv: bool = False) -> Collection:
    """Return the kit's tasks for the repository at ``root``, for a ``tasks.py`` to add its own to.

    With ``dotenv`` a fresh checkout gets its ``.env`` from ``.env.example`` by the first task that
    needs the settings; without it no task but ``dev.setup`` makes one.

    The program that is running takes over what Invoke's own command line lacks: ``.venv/bin/inv``
    is Invoke's, and there is no other place for it. Invoke reads ``INVOKE_RUN_ECHO=false`` as true,
    for any text is; here it means what it says.
    """
    for name, value in os.environ.items():
        if name.startswith("INVOKE_RUN_") and value.lower() in FALSE:
            os.environ[name] = ""
    program.__class__ = KitProgram
    collection = Collection()
    collection.configure({"runbook": {"root": str(root), "dotenv": dotenv}})
    for each in migrations.tasks:
        db.collection.add_task(each)
    collection.add_collection(db.collection)
    collection.add_collection(dev.collection)
    collection.add_collection(deps.collection)
    collection.add_collection(jobs.collection)
    collection.add_collection(schedule.collection)
    for each in (*quality.tasks, doctor.doctor, graph.graph, readme.readme, manage.manage):
        collection.add_task(each)
    return collection
