"""Says in one line what an error is, and where a migration failed."""

import re
import traceback

from django.db.migrations.migration import Migration

#: Django's own loops over the operations, whose local variables name the one at hand.
LOOPS = (Migration.apply.__code__, Migration.unapply.__code__)

ADDRESS = re.compile(" at 0x[0-9a-fA-F]*")


def told(error: Exception) -> str:
    """Return what an error in applying or undoing a migration is, in one line: where, and what.

    What Django puts off to the end (the SQL of indexes and constraints) belongs to no operation.
    """
    text = in_words(error)
    migration = operation = None
    for frame, _line in traceback.walk_tb(error.__traceback__):
        found = frame.f_locals.get("migration")
        migration = found if isinstance(found, Migration) else migration
        if frame.f_code in LOOPS:
            migration = frame.f_locals["self"]
            operation = frame.f_locals.get("operation")
    if migration is None:
        return text
    where = f"{migration.app_label}.{migration.name}"
    for number, each in enumerate(migration.operations, 1):
        if each is operation:
            return f"{where}, operation {number} ({each.describe()}): {text}"
    return f"{where}, at its end: {text}"


def in_words(error: BaseException) -> str:
    """Return an error's type and the first line of what it says, without its full stop.

    Addresses of objects, which differ from run to run, are left out.
    """
    line = next(iter(str(error).strip().splitlines()), "").rstrip(". ")
    return f"{type(error).__name__}: {ADDRESS.sub('', line)}" if line else type(error).__name__
