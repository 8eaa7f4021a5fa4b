"""The database's clock, in UTC on every engine, and how far another may be from it."""

import datetime
import time
from typing import Any

from django.db import connection
from django.db.models import functions
from django.db.models.sql import Query

from django_runbook.jobs.errors import RefusedError

#: A cutoff comes from the machine's clock; a wrong one would end trials too early.
MOST_SKEW = datetime.timedelta(minutes=1)


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


def require_clock(now: datetime.datetime) -> datetime.timedelta:
    """Return how far ``now`` (aware), what a machine's clock says, is ahead of the database's.

    Raises ``RefusedError`` where that is more than a minute, or less than minus one.
    """
    begin = time.monotonic()
    skew = now - database_now()
    waited = datetime.timedelta(seconds=time.monotonic() - begin)  # for a lock, or a connection
    if skew > MOST_SKEW or skew + waited < -MOST_SKEW:
        raise RefusedError(
            f"Refused: the clock says {now.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}, "
            f"{_apart(skew)} the database's; nothing was changed. Set this machine's clock first."
        )
    return skew


def _apart(skew: datetime.timedelta) -> str:
    way = "ahead of" if skew > datetime.timedelta() else "behind"
    return f"{datetime.timedelta(seconds=round(abs(skew).total_seconds()))} {way}"
