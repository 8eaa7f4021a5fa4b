"""What tests of fingerprints share."""

from collections.abc import Iterable

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_runbook.schema.fingerprints.differences import compare
from django_runbook.schema.fingerprints.fingerprint import Fingerprint
from django_runbook.schema.fingerprints.reading import fingerprint
from django_runbook.schema.scratch.databases import Workshop, in_place


def build(shop: Workshop, statements: Iterable[str]) -> BaseDatabaseWrapper:
    """Return a new database after these statements."""
    made = shop.create()
    with made.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    return made


def told(found: Fingerprint) -> dict[str, dict[str, str]]:
    """Return the entries for reading; of those with one name, the last."""
    return {kind: dict(pairs) for kind, pairs in found.entries.items()}


def kinds(left: Fingerprint, right: Fingerprint) -> str:
    """Return the kinds of what differs."""
    differences = compare(left, right)
    return " ".join(
        [
            *(each.kind for each in differences.logical),
            *(f"names {each.kind}" for each in differences.names),
            *(f"order {each.kind}" for each in differences.order),
        ]
    )


def changed_by(made: BaseDatabaseWrapper, statements: Iterable[str]) -> dict[str, str]:
    """Return the kinds of what each statement changes alone; all is undone."""
    before = fingerprint(made)
    found = {}
    for statement in statements:
        with in_place(made, "default"), transaction.atomic():
            with made.cursor() as cursor:
                cursor.execute(statement)
            after = fingerprint(made)
            transaction.set_rollback(True)
        found[statement] = kinds(before, after)
        assert (before.digest == after.digest) == (not found[statement])
    return found
