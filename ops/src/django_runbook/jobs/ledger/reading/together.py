"""Several limited reads of one table as one statement: the newest runs of each of many jobs."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

#: Reads of one statement: SQLite takes 500 parts.
AT_ONCE = 100
READ = "SELECT part_{part}.*, {part} AS part FROM ({sql}) AS part_{part}"


def together(reads: Sequence[QuerySet[Any]]) -> list[list[Any]]:
    """Return what each of these reads finds, in any order; one statement for a hundred of them.

    All are of one model and of the same columns. Django's ``union`` would refuse their limits and
    their order on SQLite. Each part finds its rows by an index, as it would alone.
    """
    found: list[list[Any]] = [[] for _ in reads]
    for start in range(0, len(reads), AT_ONCE):
        made, parameters = [], list[Any]()
        for part, read in enumerate(reads[start : start + AT_ONCE], start):
            sql, values = read.query.sql_with_params()
            made.append(READ.format(part=part, sql=sql))
            parameters += values
        model: Any = reads[start].model
        for row in model.objects.raw(" UNION ALL ".join(made), parameters):
            found[row.part].append(row)
    return found
