"""The database's clock, in UTC on every engine."""

import datetime
from typing import Any

from django.db import connection
from django.db.models import functions
from django.db.models.sql import Query


class Now(functions.Now):
    """Django's ``Now``; on MariaDB and MySQL that one is in the time zone of the server."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Return the SQL with microseconds."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


def database_now() -> datetime.datetime:
    """Return what time the database says it is (aware)."""
    sql, parameters = Query(None).get_compiler(connection=connection).compile(Now())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql}", parameters)  # nothing of anybody's
        (found,) = cursor.fetchone()
    value = (
        found if isinstance(found, datetime.datetime) else datetime.datetime.fromisoformat(found)
    )
    return value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
