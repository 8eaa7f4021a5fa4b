"""What a database says of an error: its first line, without values of rows."""

import re

from ops.schema.applying.timeouts import mysql_code, sqlstate

#: PostgreSQL's class 22, such as: invalid input syntax for type integer: "x".
DATA_EXCEPTION = "22"
QUOTED = re.compile(r'"[^\n]*"')
#: MariaDB and MySQL: Duplicate entry 'x' for key 'y', Incorrect integer value: 'x' for column ...
MYSQL_VALUE = re.compile(r"(entry|value:?) (?:'.*'(?= for (?:key|column|function)\b)|'.*'$)")
#: PostgreSQL: a table, column, other object or schema that is there, or is not.
REMAINS = {"42P07", "42701", "42710", "42P06", "42P01", "42703", "42704"}
#: MariaDB and MySQL, as above: table, column, index, foreign key; what is to be dropped.
MYSQL_REMAINS = {1050, 1060, 1061, 1826, 1051, 1054, 1091}


def first_line(error: BaseException) -> str:
    """Return the first line: PostgreSQL's DETAIL, the second, holds values of rows."""
    if code := mysql_code(error):
        said = " ".join(" ".join(map(str, error.args[1:])).split())
        masked = MYSQL_VALUE.sub(r"\1 '...'", said)
        return f"{masked} ({code})"
    said = str(error).strip().partition("\n")[0]
    return QUOTED.sub('"..."', said) if sqlstate(error).startswith(DATA_EXCEPTION) else said


def is_of_remains(error: BaseException) -> bool:
    """Tell whether something was there already, or missing: as after a run that was broken off."""
    return sqlstate(error) in REMAINS or mysql_code(error) in MYSQL_REMAINS
