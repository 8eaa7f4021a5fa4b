"""What a database is built of, as text that can be compared: frozen, and printed elsewhere."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

Entries = Mapping[str, tuple[tuple[str, str], ...]]

#: Kinds of which a table has parts; their names begin with the table's and a dot.
PARTS = ("column", "constraint", "index", "trigger", "rule", "policy", "comment")
#: Kinds whose name nothing depends on but statements that name it.
FREELY_NAMED = ("constraint", "index", "sequence")
#: A sequence's definition ends with this and its column, where it has one.
OWNED_BY = " owned by "
#: The columns of a table in their order, as a JSON list.
ORDER = "order"


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Each thing in a database by its kind: sorted pairs of its name and its definition.

    A part of a table is named ``table.part``. What a table may have several of without a name
    (a CHECK of SQLite) has an empty one. Rows, the values of sequences, owners and privileges, and
    Django's record of applied migrations are no part of it.
    """

    vendor: str
    entries: Entries

    @property
    def digest(self) -> str:
        """The SHA-256 of it all, names and the order of columns included."""
        kinds = {kind: found for kind, found in self.entries.items() if found}
        text = json.dumps([self.vendor, kinds], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def sorted_entries(found: Mapping[str, list[tuple[str, str]]]) -> Entries:
    """Return what was read in the order in which it is compared."""
    return {kind: tuple(sorted(found[kind])) for kind in sorted(found) if found[kind]}
