"""Which module serves which engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django_runbook.schema.database.dumps import mysql, postgresql, sqlite
from django_runbook.schema.database.dumps.origins import Origin


class Load(Protocol):
    """Replaces what is in the database ``alias`` by ``file``, with its grants or without.

    Returns what the program that did it was not told, mostly nothing.
    """

    def __call__(self, alias: str, file: Path, *, privileges: bool) -> str:
        """Do it in one piece, or not at all."""


@dataclass(frozen=True)
class Engine:
    """The suffix of a dump, and the two functions."""

    suffix: str
    dump: Callable[[str, Path], Origin]
    load: Load


#: By Django's ``connection.vendor``; MariaDB is "mysql" there.
ENGINES = {
    "postgresql": Engine(".dump", postgresql.dump, postgresql.load),
    "sqlite": Engine(".sqlite3", sqlite.dump, sqlite.load),
    "mysql": Engine(".sql", mysql.dump, mysql.load),
}
