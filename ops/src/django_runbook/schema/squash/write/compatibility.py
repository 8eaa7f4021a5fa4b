"""What two migrations must have in common to be one file."""

import ast
from dataclasses import dataclass

from django.db import migrations
from django.db.migrations.migration import Migration

from django_runbook.schema.squash.source.module import Source
from django_runbook.schema.squash.source.scopes import bound

PLAIN = (migrations.Migration,)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a migration is run. Migrations of one kind can be one file, where ``alone`` is empty.

    ``own`` is what the class sets for a base class that is not Django's; ``alone`` why the
    migration cannot be merged with any.
    """

    atomic: bool
    bases: tuple[type, ...] = PLAIN
    own: tuple[str, ...] = ()
    alone: str = ""


def kind(migration: Migration, source: Source) -> Kind:
    """Return how a migration is run, as its class and its source say."""
    bases = type(migration).__bases__
    own = source.own()
    names = {name for node in own for name in bound([node])}
    changed = sorted(name for name in names if hasattr(migrations.Migration, name))
    alone = f"its class has its own {changed[0]}" if changed else ""
    if bases == PLAIN:
        return Kind(atomic=migration.atomic, alone=alone)
    if any(not isinstance(node, ast.Assign | ast.AnnAssign) for node in own) or any(
        node.end_lineno != node.lineno for node in own
    ):
        alone = alone or "its class has code of its own"
    texts = tuple(ast.dump(node) for node in own)
    return Kind(atomic=migration.atomic, bases=bases, own=texts, alone=alone)


def difference(one: Kind, other: Kind) -> str:
    """Return why two kinds cannot be one file; nothing where they can."""
    if one.alone or other.alone:
        return other.alone or one.alone
    if one.atomic is not other.atomic:
        return f"atomic is {other.atomic}, and was {one.atomic}"
    if one.bases != other.bases:
        return "its class has another base"
    return "its class sets other values" if one.own != other.own else ""
