"""How much of its time a run works: a share of it, as its job says, and as far as replicas follow.

Between two batches alone: no lock is held while a run waits.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from django_runbook.config import Job
from django_runbook.jobs.batches.stopping import Stop
from django_runbook.jobs.errors import RefusedError
from django_runbook.jobs.registry import Transition

ASK_SECONDS = 1.0  # between two questions while a run waits
#: How far the log is written, and how far the slowest replica has replayed it. A role that may not
#: read the view sees NULL alone, for the state too (PostgreSQL's manual, pg_stat_replication).
REPLAYED = """
    SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
        min(pg_wal_lsn_diff(replay_lsn, '0/0'))::bigint,
        coalesce(max(extract(epoch FROM replay_lag)), 0)::float, count(*), count(state)
    FROM pg_stat_replication WHERE state IS NULL OR state IN ('streaming', 'catchup')
"""


class Throttle:
    """Lets a run wait between two batches."""

    def __init__(
        self,
        connection: Any,
        *,
        share: float = 1.0,
        asked: Callable[[], bool | float] | None = None,
        max_lag_seconds: float | None = None,
    ) -> None:
        self._share, self._asked, self._rest = share, asked, 0.0
        self._max_lag = max_lag_seconds if connection.vendor == "postgresql" else None
        self._lag = Lag(connection)

    @classmethod
    def of(cls, connection: Any, job: Job, moved: Transition) -> Self:
        """Return that of a job and of its transition: its runs rest by it, and its undos."""
        return cls(
            connection,
            share=job.throttle,
            asked=moved.throttle,
            max_lag_seconds=job.max_lag_seconds,
        )

    def took(self, seconds: float) -> None:
        """Learn what the last batch took: that share of the time is work, the rest is rest."""
        self._rest = seconds * (1 / self._share - 1)

    def holds(self, stop: Stop, tell: Callable[[str], None]) -> bool:
        """Wait as long as the next batch must; tell whether the end was asked for meanwhile.

        ``tell`` is told once why it waits for more than its share. Raises ``RefusedError`` where
        the lag cannot be seen.
        """
        told = False
        while not stop.reason and (why := self._why()):
            if not told:
                tell(why)
                told = True
            stop.wait(ASK_SECONDS)
        stop.wait(self._rest)
        self._rest = 0.0
        return bool(stop.reason)

    def _why(self) -> str:
        """Say what has to be waited for; empty where nothing has."""
        if self._max_lag is not None and (lag := self._lag.seconds()) > self._max_lag:
            return f"a replica is {lag:.1f} s behind (max_lag_seconds = {self._max_lag:g})"
        answer = self._asked() if self._asked else False
        if answer is True:
            return "the job's throttle says so"
        self._rest += answer
        return ""


class Lag:
    """By how much PostgreSQL's slowest streaming replica is behind.

    The server's own ``replay_lag`` is of what was replayed last: it stands still while a replica is
    stuck, and stays for a while when it has caught up. So it is measured here as well, by what had
    been written when somebody looked before.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        #: When the log was so long, and not yet replayed.
        self._written: deque[tuple[float, int]] = deque(maxlen=10_000)

    def seconds(self) -> float:
        """Return the lag; 0 without a replica. Raises ``RefusedError`` where it cannot be seen."""
        with self._connection.cursor() as cursor:
            cursor.execute(REPLAYED)
            written, replayed, last, replicas, seen = cursor.fetchone()
        if seen < replicas:
            raise RefusedError(
                "Refused: max_lag_seconds is set, and this role may not see how far the replicas "
                "are; nothing was changed. As a superuser: GRANT pg_read_all_stats TO "
                f"{self._connection.get_connection_params().get('user', 'this role')}"
            )
        if replayed is None:
            return 0.0
        now = time.monotonic()
        if not self._written or self._written[-1][1] < written:
            self._written.append((now, written))
        while self._written and self._written[0][1] <= replayed:
            self._written.popleft()
        if not self._written:
            return 0.0
        return max(now - self._written[0][0], float(last))
