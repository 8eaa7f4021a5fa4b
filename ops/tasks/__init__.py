"""The Invoke side of the kit: one collection a file."""

import os
from pathlib import Path

from invoke import Collection

from ops.tasks import db, deps, manage, quality

FALSE = ("false", "no", "off", "0")


def kit(root: Path) -> Collection:
    """Return the kit's tasks for the repository at ``root``, for a ``tasks.py`` to add its own to.

    Invoke reads ``INVOKE_RUN_DRY=false`` as true, for any text is; here it means what it says.
    """
    for name, value in os.environ.items():
        if name.startswith("INVOKE_RUN_") and value.lower() in FALSE:
            os.environ[name] = ""
    collection = Collection()
    collection.configure({"ops": {"root": str(root)}})
    collection.add_collection(db.collection)
    collection.add_collection(deps.collection)
    for task in (manage.manage, *quality.tasks):
        collection.add_task(task)
    return collection
