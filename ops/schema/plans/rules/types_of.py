"""Which changes of a column's type PostgreSQL does without touching the rows.

From PostgreSQL's manual, ALTER TABLE, Notes: changing the type rewrites the table and its indexes,
except where the old type is binary coercible to the new one, or is unconstrained. A longer
``varchar``, and a ``numeric`` of more digits with the same scale, keep the rows as they are.
"""

import re

VARCHAR = re.compile(r"(?:varchar|character varying)(?:\((\d+)\))?$")
NUMERIC = re.compile(r"(?:numeric|decimal)(?:\((\d+), ?(\d+)\))?$")
#: Pairs of types with the same bytes on disk.
SAME_BYTES = {("cidr", "inet"), ("text", "varchar"), ("varchar", "text")}


def keeps_rows(old: str, new: str) -> bool:
    """Whether PostgreSQL changes a column from one type to the other without a rewrite."""
    if (old, new) in SAME_BYTES:
        return True
    was, now = VARCHAR.match(old), VARCHAR.match(new)
    if was and (new == "text" or (now and now[1] is None)):
        return True
    if was and now and was[1]:
        return int(now[1]) >= int(was[1])
    was, now = NUMERIC.match(old), NUMERIC.match(new)
    if was and now:
        return now[1] is None or bool(was[1] and was[2] == now[2] and int(now[1]) >= int(was[1]))
    return False
