"""The Invoke side of the kit: one collection a file."""

import os
import sys
from pathlib import Path

# Invoke switches it off, and every call would compile the kit anew.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

from invoke import Collection
from invoke.main import program

from ops.tasks import (
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
from ops.tasks.cli import KitProgram

FALSE = ("false", "no", "off", "0")


def kit(root: Path) -> Collection:
    """Return the kit's tasks for the repository at ``root``, for a ``tasks.py`` to add its own to.

    The program that is running takes over what Invoke's own command line lacks: ``.venv/bin/inv``
    is Invoke's, and there is no other place for it. Invoke reads ``INVOKE_RUN_DRY=false`` as true,
    for any text is; here it means what it says.
    """
    for name, value in os.environ.items():
        if name.startswith("INVOKE_RUN_") and value.lower() in FALSE:
            os.environ[name] = ""
    program.__class__ = KitProgram
    collection = Collection()
    collection.configure({"ops": {"root": str(root)}})
    for task in migrations.tasks:
        db.collection.add_task(task)
    collection.add_collection(db.collection)
    collection.add_collection(dev.collection)
    collection.add_collection(deps.collection)
    collection.add_collection(jobs.collection)
    collection.add_collection(schedule.collection)
    for task in (*quality.tasks, doctor.doctor, graph.graph, readme.readme, manage.manage):
        collection.add_task(task)
    return collection
